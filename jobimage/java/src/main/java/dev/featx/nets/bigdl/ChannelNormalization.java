package dev.featx.nets.bigdl;

import com.intel.analytics.bigdl.dllib.nn.abstractnn.AbstractModule;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.Activity;
import com.intel.analytics.bigdl.dllib.tensor.Tensor;
import com.intel.analytics.bigdl.dllib.utils.Shape;
import java.util.Arrays;

/**
 * caffe-ssd's Normalize: normalizes each position to an L2 norm of 1 across channels, then scales each channel
 * (NormalizeLayer).
 *
 * <p>BigDL's NormalizeScale takes some ten passes over the values: a sixth of the time of a forward pass of res10.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
final class ChannelNormalization extends AbstractModule<Activity, Activity, Object> {
  private static final long serialVersionUID = 1L;

  private final float[] scale;
  private final float epsilon;
  private float[] values = {};

  /**
   * Creates the layer.
   *
   * @param scale factor per channel
   * @param epsilon added to the sum of squares
   */
  ChannelNormalization(float[] scale, float epsilon) {
    super(BigDl.ACTIVITY, BigDl.ACTIVITY, BigDl.FLOAT, BigDl.NUMERIC);
    this.scale = scale;
    this.epsilon = epsilon;
  }

  @Override
  public Activity updateOutput(Activity input) {
    Tensor tensor = ((Tensor) input).contiguous();
    int[] shape = tensor.size();
    int positions = shape[2] * shape[3];
    if (values.length != tensor.nElement()) {
      values = new float[tensor.nElement()];
      output_$eq((Activity) BigDl.tensor(values, shape));
    }
    float[] source = (float[]) tensor.storage().array();
    float[] inverse = new float[positions];
    for (int image = 0; image < shape[0]; image++) {
      int start = image * shape[1] * positions;
      normalize(source, tensor.storageOffset() - 1 + start, start, inverse);
    }
    return output();
  }

  /** Normalizes one image; a channel's values are contiguous, so the inner loops run over positions. */
  private void normalize(float[] source, int from, int to, float[] inverse) {
    int positions = inverse.length;
    Arrays.fill(inverse, epsilon);
    for (int channel = 0; channel < scale.length; channel++) {
      int at = from + channel * positions;
      for (int position = 0; position < positions; position++) {
        inverse[position] += source[at + position] * source[at + position];
      }
    }
    for (int position = 0; position < positions; position++) {
      inverse[position] = (float) (1 / Math.sqrt(inverse[position]));
    }
    for (int channel = 0; channel < scale.length; channel++) {
      int at = channel * positions;
      for (int position = 0; position < positions; position++) {
        values[to + at + position] = source[from + at + position] * inverse[position] * scale[channel];
      }
    }
  }

  @Override
  public Activity updateGradInput(Activity input, Activity gradOutput) {
    throw new UnsupportedOperationException("Featx does not train");
  }

  @Override
  public Shape computeOutputShape(Shape input) {
    return input;
  }
}
