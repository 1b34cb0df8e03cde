package dev.featx.nets.bigdl;

import com.intel.analytics.bigdl.dllib.nn.abstractnn.Activity;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.DataFormat;
import com.intel.analytics.bigdl.dllib.tensor.Tensor;
import com.intel.analytics.bigdl.dllib.tensor.Tensor$;
import com.intel.analytics.bigdl.dllib.tensor.TensorNumericMath;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/** What BigDL's Scala constructors want besides their real arguments. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class BigDl {
  static final ClassTag FLOAT = ClassTag$.MODULE$.Float();
  static final ClassTag ACTIVITY = ClassTag$.MODULE$.apply(Activity.class);
  static final TensorNumericMath.TensorNumeric NUMERIC = floatNumeric();
  static final DataFormat NCHW = DataFormat.NCHW$.MODULE$;

  private BigDl() {}

  /** Returns a tensor over the values themselves, not over a copy. */
  static Tensor tensor(float[] values, int... shape) {
    return Tensor$.MODULE$.apply((Object) values, shape, FLOAT, NUMERIC);
  }

  /** Scala's object nested in an object has a name that javac can't write. */
  private static TensorNumericMath.TensorNumeric floatNumeric() {
    try {
      Class<?> numeric = Class.forName(TensorNumericMath.class.getName() + "$TensorNumeric$NumericFloat$");
      return (TensorNumericMath.TensorNumeric) numeric.getField("MODULE$").get(null);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("this is not the BigDL that Featx was built for", e);
    }
  }
}
