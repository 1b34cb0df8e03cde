package dev.featx.nets.bigdl;

import static dev.featx.nets.bigdl.BigDl.FLOAT;
import static dev.featx.nets.bigdl.BigDl.NCHW;
import static dev.featx.nets.bigdl.BigDl.NUMERIC;
import static dev.featx.nets.bigdl.BigDl.tensor;

import com.intel.analytics.bigdl.dllib.nn.BatchNormalization;
import com.intel.analytics.bigdl.dllib.nn.CAddTable;
import com.intel.analytics.bigdl.dllib.nn.CMaxTable;
import com.intel.analytics.bigdl.dllib.nn.CMulTable;
import com.intel.analytics.bigdl.dllib.nn.InferReshape;
import com.intel.analytics.bigdl.dllib.nn.JoinTable;
import com.intel.analytics.bigdl.dllib.nn.LeakyReLU;
import com.intel.analytics.bigdl.dllib.nn.Linear;
import com.intel.analytics.bigdl.dllib.nn.Power;
import com.intel.analytics.bigdl.dllib.nn.ReLU;
import com.intel.analytics.bigdl.dllib.nn.Sigmoid;
import com.intel.analytics.bigdl.dllib.nn.SoftMax;
import com.intel.analytics.bigdl.dllib.nn.SpatialAveragePooling;
import com.intel.analytics.bigdl.dllib.nn.SpatialBatchNormalization;
import com.intel.analytics.bigdl.dllib.nn.SpatialConvolution;
import com.intel.analytics.bigdl.dllib.nn.SpatialCrossMapLRN;
import com.intel.analytics.bigdl.dllib.nn.SpatialDilatedConvolution;
import com.intel.analytics.bigdl.dllib.nn.SpatialMaxPooling;
import com.intel.analytics.bigdl.dllib.nn.Transpose;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.AbstractModule;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.SpatialConvolution$;
import com.intel.analytics.bigdl.dllib.tensor.Tensor;
import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import dev.featx.nets.Layer;
import dev.featx.nets.NetworkFile;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import scala.Tuple2;

/**
 * Creates the BigDL module of a layer in a network file.
 *
 * <p>Weights are passed to a module's constructor: BigDL would otherwise initialize them with random numbers, which takes
 * seconds for a net of VGG16's size. Where MKL-DNN, as called by BigDL 2.4, computes something else than Caffe (strides that
 * differ between the axes are swapped, average pooling excludes the padding), the layer stays {@link OnBlas}.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Modules {
  private static final double EPSILON = 1e-5;

  private final NetworkFile file;

  Modules(NetworkFile file) {
    this.file = file;
  }

  /**
   * Creates the module of a layer.
   *
   * @param layer as stored in the network file
   * @param input shape of its first input, without the batch axis
   */
  AbstractModule of(Layer layer, int[] input) {
    int[] output = layer.shape();
    return switch (layer.type()) {
      case "Convolution" -> convolution(layer, input, output);
      case "FullyConnected" -> fullyConnected();
      case "Affine" -> affine(layer, output);
      case "Relu" -> relu(layer.number("slope"), output);
      case "Clip" -> relu(0, output); // the upper limit is that of the integers (Quantization)
      case "Pooling" -> pooling(layer, output);
      case "Eltwise" -> eltwise(layer.setting("method").asText(), output);
      case "Concat" -> new JoinTable(layer.setting("axis").asInt() + 1, -1, FLOAT, NUMERIC);
      case "Softmax" -> new SoftMax(FLOAT, NUMERIC);
      case "Sigmoid" -> new OnBlas(new Sigmoid(FLOAT, NUMERIC), output);
      case "Power" ->
          power(layer.number("power"), layer.number("scale"), layer.number("shift"), output);
      // BigDL's MKL-DNN layer ignores the constant k, so GraphBuilder scales the result.
      case "LocalResponse" -> new SpatialCrossMapLRN(layer.setting("size").asInt(),
          layer.number("alpha") / layer.number("k"), layer.number("beta"), 1.0, NCHW, FLOAT, NUMERIC);
      case "Normalize" -> new ChannelNormalization(weights(layer, "scale"), (float) layer.number("epsilon"));
      case "Flatten", "Reshape" -> reshape(output);
      case "Permute" -> permute(layer.ints("order"), output);
      default -> throw new RunProblem(FailureClass.MODEL_INVALID,
          "model " + file.name() + ", layer " + layer.name() + ": engine bigdl does not support "
              + layer.type());
    };
  }

  /** Creates a module that computes x * factor. */
  static AbstractModule times(double factor, int[] shape) {
    return power(1, factor, 0, shape);
  }

  /** Returns whether a layer is a dilated convolution that MKL-DNN supports: it is converted undilated, then replaced. */
  static boolean dilatesNatively(Layer layer) {
    if (!layer.type().equals("Convolution")) {
      return false;
    }
    int[] dilation = layer.ints("dilation");
    int[] stride = layer.ints("stride");
    return dilation[0] > 1 && dilation[0] == dilation[1] && stride[0] == stride[1];
  }

  /**
   * Creates MKL-DNN's convolution with the dilation, which BigDL's conversion does not support.
   *
   * @param layer a layer for which {@link #dilatesNatively} is true
   * @param converted the converted module of its undilated convolution
   */
  AbstractModule dilated(Layer layer, com.intel.analytics.bigdl.dllib.nn.mkldnn.SpatialConvolution converted) {
    int[] dilation = layer.ints("dilation");
    AbstractModule module = SpatialConvolution$.MODULE$.apply(converted.nInputPlane(), converted.nOutputPlane(),
        converted.kernelW(), converted.kernelH(), converted.strideW(), converted.strideH(), converted.padW(),
        converted.padH(), converted.nGroup(), true, null, null, weight(layer, converted.nGroup()), bias(layer), null, null,
        true, NCHW, dilation[1], dilation[0]);
    module.setName(layer.name());
    module.evaluate();
    return module;
  }

  private AbstractModule convolution(Layer layer, int[] input, int[] output) {
    int[] weightShape = layer.weights().get("weight").shape();
    int[] stride = layer.ints("stride");
    int[] pad = layer.ints("pad");
    int[] dilation = layer.ints("dilation");
    int groups = layer.setting("groups").asInt();
    int height = weightShape[2];
    int width = weightShape[3];
    if (!dilatesNatively(layer) && (dilation[0] > 1 || dilation[1] > 1)) {
      if (groups != 1) {
        throw new RunProblem(FailureClass.MODEL_INVALID, "model " + file.name() + ", layer " + layer.name()
            + ": engine bigdl does not support grouped convolutions whose dilation differs between the axes");
      }
      SpatialDilatedConvolution dilated = new SpatialDilatedConvolution(input[0], output[0], width, height, stride[1],
          stride[0], pad[1], pad[0], dilation[1], dilation[0], null, null, FLOAT, NUMERIC);
      dilated.setWeightsBias(new Tensor[] {tensor(weights(layer, "weight"), weightShape), bias(layer)});
      return new OnBlas(dilated, output);
    }
    int[] grouped = {groups, output[0] / groups, weightShape[1], height, width};
    AbstractModule plain = new SpatialConvolution(input[0], output[0], width, height, stride[1], stride[0], pad[1], pad[0],
        groups, true, null, null, tensor(weights(layer, "weight"), grouped), bias(layer), null, null, true, NCHW, FLOAT,
        NUMERIC);
    return stride[0] == stride[1] ? plain : new OnBlas(plain, output);
  }

  private Tensor weight(Layer layer, int groups) {
    int[] shape = layer.weights().get("weight").shape();
    float[] values = weights(layer, "weight");
    return groups == 1 ? tensor(values, shape)
        : tensor(values, groups, shape[0] / groups, shape[1], shape[2], shape[3]);
  }

  private Tensor bias(Layer layer) {
    float[] values = weights(layer, "bias");
    return tensor(values, values.length);
  }

  /**
   * Creates MKL-DNN's matrix product directly over the array of the loaded weights.
   *
   * <p>BigDL would create such a module with three copies of its weights (argument, own, gradients), and two more in the
   * conversion: 2 GB for VGG16's fc6. It is therefore created for one input; the real number follows from its weights' shape.
   */
  AbstractModule product(Layer layer) {
    Tensor weight = weight(layer, 1);
    int units = weight.size(1);
    Tensor first = tensor(new float[units], units, 1);
    var module =
        new com.intel.analytics.bigdl.dllib.nn.mkldnn.Linear(1, units, null, null, first, bias(layer), null, null);
    module.weight().dense().set(weight);
    module.setName(layer.name());
    module.evaluate();
    return module;
  }

  /** Creates a placeholder of one weight, which is converted instead of the real product ({@link #product}). */
  private AbstractModule fullyConnected() {
    return new Linear(1, 1, true, null, null, tensor(new float[1], 1, 1), tensor(new float[1], 1), null, null, FLOAT,
        NUMERIC);
  }

  /** Creates a batch normalization with mean 0 and variance 1, which computes x * scale + shift. */
  private AbstractModule affine(Layer layer, int[] output) {
    float[] scale = weights(layer, "scale");
    int channels = scale.length;
    Tensor factors = tensor(scale, channels);
    Tensor shift = tensor(weights(layer, "shift"), channels);
    boolean map = output.length == 3;
    BatchNormalization module = map
        ? new SpatialBatchNormalization(channels, EPSILON, 0.1, true, factors, shift, null, null, NCHW, FLOAT, NUMERIC)
        : new BatchNormalization(channels, EPSILON, 0.1, true, factors, shift, null, null, FLOAT, NUMERIC);
    float[] variance = new float[channels];
    Arrays.fill(variance, (float) (1 - EPSILON));
    module.runningMean().copy(tensor(new float[channels], channels));
    module.runningVar().copy(tensor(variance, channels));
    return map ? module : new OnBlas(module, output);
  }

  private static AbstractModule relu(double slope, int[] output) {
    return slope == 0
        ? new ReLU(false, FLOAT, NUMERIC) : new OnBlas(new LeakyReLU(slope, false, FLOAT, NUMERIC), output);
  }

  private static AbstractModule pooling(Layer layer, int[] output) {
    int[] kernel = layer.ints("kernel");
    int[] stride = layer.ints("stride");
    int[] pad = layer.ints("pad");
    boolean roundUp = layer.setting("roundUp").asBoolean();
    boolean matchesCaffe = stride[0] == stride[1];
    AbstractModule module;
    if (layer.setting("method").asText().equals("average")) {
      matchesCaffe &= pad[0] == 0 && pad[1] == 0;
      module = new SpatialAveragePooling(kernel[1], kernel[0], stride[1], stride[0], pad[1], pad[0], false, roundUp, true,
          true, NCHW, FLOAT, NUMERIC);
    } else {
      SpatialMaxPooling max =
          new SpatialMaxPooling(kernel[1], kernel[0], stride[1], stride[0], pad[1], pad[0], NCHW, FLOAT, NUMERIC);
      module = roundUp ? max.ceil() : max.floor();
    }
    return matchesCaffe ? module : new OnBlas(module, output);
  }

  private static AbstractModule eltwise(String method, int[] output) {
    return switch (method) {
      case "sum" -> new CAddTable(false, FLOAT, FLOAT, NUMERIC, NUMERIC);
      case "product" -> new OnBlas(new CMulTable(FLOAT, NUMERIC), output);
      default -> new OnBlas(new CMaxTable(FLOAT, NUMERIC), output);
    };
  }

  private static AbstractModule power(double power, double scale, double shift, int[] output) {
    return new OnBlas(new Power(power, scale, shift, FLOAT, NUMERIC), output);
  }

  /** Creates a reshape; BigDL's requires exactly one -1 in the shape. */
  static AbstractModule reshape(int[] output) {
    int[] batchShape = new int[output.length + 1];
    System.arraycopy(output, 0, batchShape, 1, output.length);
    batchShape[1] = -1;
    return new OnBlas(new InferReshape(batchShape, false, FLOAT, NUMERIC), output);
  }

  /** Decomposes a permutation into swaps of two axes, numbered from 1. */
  private static AbstractModule permute(int[] order, int[] output) {
    List<Tuple2<Object, Object>> swaps = new ArrayList<>();
    int[] current = new int[order.length];
    Arrays.setAll(current, axis -> axis);
    for (int axis = 0; axis < order.length; axis++) {
      int from = axis;
      while (current[from] != order[axis]) {
        from++;
      }
      if (from != axis) {
        current[from] = current[axis];
        current[axis] = order[axis];
        swaps.add(new Tuple2<>(axis + 1, from + 1));
      }
    }
    return new OnBlas(new Transpose(swaps.toArray(Tuple2[]::new), FLOAT, NUMERIC), output);
  }

  private float[] weights(Layer layer, String name) {
    return file.floats(layer.weights().get(name));
  }
}
