package dev.featx.nets.bigdl;

import com.intel.analytics.bigdl.dllib.nn.abstractnn.AbstractModule;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.Activity;
import com.intel.analytics.bigdl.dllib.utils.Shape;
import com.intel.analytics.bigdl.dllib.utils.Shape$;

/**
 * A layer that BigDL must not convert to MKL-DNN, where it would compute something else.
 *
 * <p>The conversion selects modules by class name, so a wrapped module stays unchanged. The wrapper also reports its output's
 * shape, which many of BigDL's modules can't.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
final class OnBlas extends AbstractModule<Activity, Activity, Object> {
  private static final long serialVersionUID = 1L;

  private final AbstractModule module;
  private final int[] shape;

  /**
   * Wraps a module.
   *
   * @param module computes the output
   * @param shape its output's shape without the batch axis
   */
  OnBlas(AbstractModule module, int[] shape) {
    super(BigDl.ACTIVITY, BigDl.ACTIVITY, BigDl.FLOAT, BigDl.NUMERIC);
    this.module = module;
    this.shape = shape;
  }

  @Override
  public Activity updateOutput(Activity input) {
    output_$eq(module.forward(input));
    return output();
  }

  @Override
  public Activity updateGradInput(Activity input, Activity gradOutput) {
    throw new UnsupportedOperationException("Featx does not train");
  }

  @Override
  public AbstractModule evaluate() {
    module.evaluate();
    return super.evaluate();
  }

  @Override
  public Shape computeOutputShape(Shape input) {
    int[] batchShape = new int[shape.length + 1];
    Shape first = input instanceof com.intel.analytics.bigdl.dllib.utils.MultiShape ? input.toMulti().head() : input;
    batchShape[0] = (Integer) first.toSingle().head();
    System.arraycopy(shape, 0, batchShape, 1, shape.length);
    return Shape$.MODULE$.apply(batchShape);
  }
}
