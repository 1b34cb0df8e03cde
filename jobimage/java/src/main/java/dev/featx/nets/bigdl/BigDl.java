package dev.featx.nets.bigdl;

import com.intel.analytics.bigdl.dllib.nn.abstractnn.Activity;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.DataFormat;
import com.intel.analytics.bigdl.dllib.tensor.Tensor;
import com.intel.analytics.bigdl.dllib.tensor.Tensor$;
import com.intel.analytics.bigdl.dllib.tensor.TensorNumericMath;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/** Extra arguments required by BigDL's Scala constructors. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class BigDl {
  static final ClassTag FLOAT = ClassTag$.MODULE$.Float();
  static final ClassTag ACTIVITY = ClassTag$.MODULE$.apply(Activity.class);
  static final TensorNumericMath.TensorNumeric NUMERIC = floatNumeric();
  static final DataFormat NCHW = DataFormat.NCHW$.MODULE$;

  private BigDl() {}

  /** Returns a tensor backed by the values, without a copy. */
  static Tensor tensor(float[] values, int... shape) {
    return Tensor$.MODULE$.apply((Object) values, shape, FLOAT, NUMERIC);
  }

  /** A nested Scala object has a name that Java source cannot express. */
  private static TensorNumericMath.TensorNumeric floatNumeric() {
    try {
      Class<?> numeric = Class.forName(TensorNumericMath.class.getName() + "$TensorNumeric$NumericFloat$");
      return (TensorNumericMath.TensorNumeric) numeric.getField("MODULE$").get(null);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("this is not the BigDL version that Featx was built for", e);
    }
  }
}
