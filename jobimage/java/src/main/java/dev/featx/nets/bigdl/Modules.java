package dev.featx.nets.bigdl;

import static dev.featx.nets.bigdl.BigDl.FLOAT;
import static dev.featx.nets.bigdl.BigDl.NCHW;
import static dev.featx.nets.bigdl.BigDl.NUMERIC;
import static dev.featx.nets.bigdl.BigDl.tensor;

import com.fasterxml.jackson.databind.JsonNode;
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
import dev.featx.nets.NetworkFile;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import scala.Tuple2;

/**
 * Makes BigDL's module of one layer of a network file.
 *
 * <p>Weights are handed to a module when it is made: BigDL would otherwise fill each with random numbers first, which takes
 * seconds for a net of VGG16's size. Where MKL-DNN's version, as BigDL 2.4 calls it, computes something else than Caffe
 * (strides that differ between the axes are swapped, average pooling leaves out the padding), the layer is kept
 * {@link OnBlas}.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Modules {
  private static final double EPSILON = 1e-5;

  private final NetworkFile file;

  Modules(NetworkFile file) {
    this.file = file;
  }

  /**
   * Returns the module of a layer.
   *
   * @param layer the layer as the network file has it
   * @param input shape of what it reads (first), without the batch axis
   */
  AbstractModule of(JsonNode layer, int[] input) {
    JsonNode settings = layer.get("settings");
    int[] output = NetworkFile.ints(layer.get("shape"));
    return switch (layer.get("type").asText()) {
      case "Convolution" -> convolution(layer, settings, input, output);
      case "FullyConnected" -> fullyConnected();
      case "Affine" -> affine(layer, output);
      case "Relu" -> relu(settings.get("slope").asDouble(), output);
      case "Clip" -> relu(0, output); // its upper limit is the integers' (Quantization)
      case "Pooling" -> pooling(settings, output);
      case "Eltwise" -> eltwise(settings.get("method").asText(), output);
      case "Concat" -> new JoinTable(settings.get("axis").asInt() + 1, -1, FLOAT, NUMERIC);
      case "Softmax" -> new SoftMax(FLOAT, NUMERIC);
      case "Sigmoid" -> new OnBlas(new Sigmoid(FLOAT, NUMERIC), output);
      case "Power" ->
          power(number(settings, "power"), number(settings, "scale"), number(settings, "shift"), output);
      // The constant k is passed over by BigDL's MKL-DNN layer: GraphBuilder scales.
      case "LocalResponse" -> new SpatialCrossMapLRN(settings.get("size").asInt(),
          number(settings, "alpha") / number(settings, "k"), number(settings, "beta"), 1.0, NCHW, FLOAT, NUMERIC);
      case "Normalize" -> new ChannelNormalization(weights(layer, "scale"), (float) number(settings, "epsilon"));
      case "Flatten", "Reshape" -> reshape(output);
      case "Permute" -> permute(NetworkFile.ints(settings.get("order")), output);
      default -> throw new RunProblem(FailureClass.MODEL_INVALID,
          "model " + file.name() + ", layer " + layer.get("name").asText() + ": engine bigdl does not support "
              + layer.get("type").asText());
    };
  }

  /** Returns x * factor. */
  static AbstractModule times(double factor, int[] shape) {
    return power(1, factor, 0, shape);
  }

  /** Returns whether a layer is a dilated convolution that MKL-DNN runs: it is converted plain, then swapped. */
  static boolean dilatesNatively(JsonNode layer) {
    if (!layer.get("type").asText().equals("Convolution")) {
      return false;
    }
    JsonNode settings = layer.get("settings");
    int[] dilation = NetworkFile.ints(settings.get("dilation"));
    int[] stride = NetworkFile.ints(settings.get("stride"));
    return dilation[0] > 1 && dilation[0] == dilation[1] && stride[0] == stride[1];
  }

  /**
   * Returns MKL-DNN's own convolution with the dilation that BigDL's conversion has no way to say.
   *
   * @param layer a layer of which {@link #dilatesNatively} is true
   * @param converted the module that its plain convolution was converted to
   */
  AbstractModule dilated(JsonNode layer, com.intel.analytics.bigdl.dllib.nn.mkldnn.SpatialConvolution converted) {
    int[] dilation = NetworkFile.ints(layer.get("settings").get("dilation"));
    AbstractModule module = SpatialConvolution$.MODULE$.apply(converted.nInputPlane(), converted.nOutputPlane(),
        converted.kernelW(), converted.kernelH(), converted.strideW(), converted.strideH(), converted.padW(),
        converted.padH(), converted.nGroup(), true, null, null, weight(layer), bias(layer), null, null, true, NCHW,
        dilation[1], dilation[0]);
    module.setName(layer.get("name").asText());
    module.evaluate();
    return module;
  }

  private AbstractModule convolution(JsonNode layer, JsonNode settings, int[] input, int[] output) {
    int[] weightShape = NetworkFile.ints(layer.get("weights").get("weight").get("shape"));
    int[] stride = NetworkFile.ints(settings.get("stride"));
    int[] pad = NetworkFile.ints(settings.get("pad"));
    int[] dilation = NetworkFile.ints(settings.get("dilation"));
    int groups = settings.get("groups").asInt();
    int high = weightShape[2];
    int wide = weightShape[3];
    if (!dilatesNatively(layer) && (dilation[0] > 1 || dilation[1] > 1)) {
      if (groups != 1) {
        throw new RunProblem(FailureClass.MODEL_INVALID, "model " + file.name() + ", layer " + layer.get("name").asText()
            + ": engine bigdl does not support grouped convolutions whose dilation differs between the axes");
      }
      SpatialDilatedConvolution dilated = new SpatialDilatedConvolution(input[0], output[0], wide, high, stride[1],
          stride[0], pad[1], pad[0], dilation[1], dilation[0], null, null, FLOAT, NUMERIC);
      dilated.setWeightsBias(new Tensor[] {tensor(weights(layer, "weight"), weightShape), bias(layer)});
      return new OnBlas(dilated, output);
    }
    int[] grouped = {groups, output[0] / groups, weightShape[1], high, wide};
    AbstractModule plain = new SpatialConvolution(input[0], output[0], wide, high, stride[1], stride[0], pad[1], pad[0],
        groups, true, null, null, tensor(weights(layer, "weight"), grouped), bias(layer), null, null, true, NCHW, FLOAT,
        NUMERIC);
    return stride[0] == stride[1] ? plain : new OnBlas(plain, output);
  }

  private Tensor weight(JsonNode layer) {
    int[] shape = NetworkFile.ints(layer.get("weights").get("weight").get("shape"));
    int groups = layer.get("settings").path("groups").asInt(1);
    float[] values = weights(layer, "weight");
    return groups == 1 ? tensor(values, shape)
        : tensor(values, groups, shape[0] / groups, shape[1], shape[2], shape[3]);
  }

  private Tensor bias(JsonNode layer) {
    float[] values = weights(layer, "bias");
    return tensor(values, values.length);
  }

  /**
   * Returns MKL-DNN's own matrix product, over the one array that the weights were read into.
   *
   * <p>BigDL makes such a module with three copies of its weights (what it is given, its own, the gradients), and converts
   * one by two more: 2 GB for VGG16's fc6. Here it is made for one input; how many it has, it takes from its weights' shape.
   */
  AbstractModule product(JsonNode layer) {
    Tensor weight = weight(layer);
    int units = weight.size(1);
    Tensor first = tensor(new float[units], units, 1);
    var module =
        new com.intel.analytics.bigdl.dllib.nn.mkldnn.Linear(1, units, null, null, first, bias(layer), null, null);
    module.weight().dense().set(weight);
    module.setName(layer.get("name").asText());
    module.evaluate();
    return module;
  }

  /** A product of one number, which is converted in the real one's place ({@link #product}). */
  private AbstractModule fullyConnected() {
    return new Linear(1, 1, true, null, null, tensor(new float[1], 1, 1), tensor(new float[1], 1), null, null, FLOAT,
        NUMERIC);
  }

  /** A batch normalisation whose mean is 0 and whose variance is 1 computes x * scale + shift. */
  private AbstractModule affine(JsonNode layer, int[] output) {
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

  private static AbstractModule pooling(JsonNode settings, int[] output) {
    int[] kernel = NetworkFile.ints(settings.get("kernel"));
    int[] stride = NetworkFile.ints(settings.get("stride"));
    int[] pad = NetworkFile.ints(settings.get("pad"));
    boolean up = settings.get("roundUp").asBoolean();
    boolean asCaffe = stride[0] == stride[1];
    AbstractModule module;
    if (settings.get("method").asText().equals("average")) {
      asCaffe &= pad[0] == 0 && pad[1] == 0;
      module = new SpatialAveragePooling(kernel[1], kernel[0], stride[1], stride[0], pad[1], pad[0], false, up, true,
          true, NCHW, FLOAT, NUMERIC);
    } else {
      SpatialMaxPooling max =
          new SpatialMaxPooling(kernel[1], kernel[0], stride[1], stride[0], pad[1], pad[0], NCHW, FLOAT, NUMERIC);
      module = up ? max.ceil() : max.floor();
    }
    return asCaffe ? module : new OnBlas(module, output);
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

  /** Returns a module that gives values another shape; BigDL's wants exactly one -1 in it. */
  static AbstractModule reshape(int[] output) {
    int[] whole = new int[output.length + 1];
    System.arraycopy(output, 0, whole, 1, output.length);
    whole[1] = -1;
    return new OnBlas(new InferReshape(whole, false, FLOAT, NUMERIC), output);
  }

  /** Writes a permutation as swaps of two axes, counted from 1. */
  private static AbstractModule permute(int[] order, int[] output) {
    List<Tuple2<Object, Object>> swaps = new ArrayList<>();
    int[] now = new int[order.length];
    Arrays.setAll(now, axis -> axis);
    for (int axis = 0; axis < order.length; axis++) {
      int from = axis;
      while (now[from] != order[axis]) {
        from++;
      }
      if (from != axis) {
        now[from] = now[axis];
        now[axis] = order[axis];
        swaps.add(new Tuple2<>(axis + 1, from + 1));
      }
    }
    return new OnBlas(new Transpose(swaps.toArray(Tuple2[]::new), FLOAT, NUMERIC), output);
  }

  private float[] weights(JsonNode layer, String name) {
    return file.floats(layer.get("weights").get(name));
  }

  private static double number(JsonNode settings, String name) {
    return settings.get(name).asDouble();
  }
}
