package dev.featx.nets;

import com.fasterxml.jackson.databind.JsonNode;
import com.intel.analytics.bigdl.dllib.nn.CAddTable;
import com.intel.analytics.bigdl.dllib.nn.CMaxTable;
import com.intel.analytics.bigdl.dllib.nn.CMulTable;
import com.intel.analytics.bigdl.dllib.nn.Graph$;
import com.intel.analytics.bigdl.dllib.nn.Input$;
import com.intel.analytics.bigdl.dllib.nn.InferReshape;
import com.intel.analytics.bigdl.dllib.nn.JoinTable;
import com.intel.analytics.bigdl.dllib.nn.LeakyReLU;
import com.intel.analytics.bigdl.dllib.nn.Linear;
import com.intel.analytics.bigdl.dllib.nn.NormalizeScale;
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
import com.intel.analytics.bigdl.dllib.nn.StaticGraph;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.AbstractModule;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.DataFormat;
import com.intel.analytics.bigdl.dllib.tensor.Tensor;
import com.intel.analytics.bigdl.dllib.tensor.Tensor$;
import com.intel.analytics.bigdl.dllib.tensor.TensorNumericMath;
import com.intel.analytics.bigdl.dllib.utils.Node;
import com.intel.analytics.bigdl.dllib.utils.python.api.PythonBigDL;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import scala.Option;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/**
 * Makes a BigDL StaticGraph of a network file, layer by layer.
 *
 * <p>Weights are handed to a layer when it is made: BigDL would otherwise fill each with random numbers first, which takes
 * seconds for a net of VGG16's size.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
final class GraphBuilder {
  private static final ClassTag FLOAT = ClassTag$.MODULE$.Float();
  private static final TensorNumericMath.TensorNumeric NUMERIC = floatNumeric();
  private static final DataFormat NCHW = DataFormat.NCHW$.MODULE$;
  /** Numbers of mkldnn's memory formats in BigDL (nn.mkldnn.HeapData, com.intel.analytics.bigdl.mkl.Memory.Format). */
  private static final int FORMAT_NC = 4;
  private static final int FORMAT_NCHW = 7;
  private static final double EPSILON = 1e-5;

  private final NetworkFile file;
  private final Map<String, Node> nodes = new HashMap<>();
  private final Map<String, int[]> shapes = new HashMap<>();

  private GraphBuilder(NetworkFile file) {
    this.file = file;
  }

  /** Returns the net as a BigDL graph whose outputs come in plain NCHW order. */
  static StaticGraph build(NetworkFile file) {
    return new GraphBuilder(file).graph();
  }

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

  private StaticGraph graph() {
    Node input = Input$.MODULE$.apply(file.inputName(), FLOAT, NUMERIC);
    nodes.put(file.inputName(), input);
    shapes.put(file.inputName(), file.inputShape());
    for (JsonNode layer : file.layers()) {
      String name = layer.get("name").asText();
      AbstractModule module = module(layer);
      module.setName(name);
      Node[] before = new Node[layer.get("inputs").size()];
      for (int i = 0; i < before.length; i++) {
        before[i] = nodes.get(layer.get("inputs").get(i).asText());
      }
      nodes.put(name, module.inputs(before));
      shapes.put(name, NetworkFile.ints(layer.get("shape")));
    }
    Node[] outputs = file.outputs().stream().map(nodes::get).toArray(Node[]::new);
    StaticGraph graph = (StaticGraph) Graph$.MODULE$.apply(new Node[] {input}, outputs, Option.empty(), FLOAT, NUMERIC);
    List<Integer> formats = new ArrayList<>();
    file.outputs().forEach(name -> formats.add(shapes.get(name).length == 3 ? FORMAT_NCHW : FORMAT_NC));
    PythonBigDL.ofFloat().setOutputFormats(graph, (List) formats);
    return graph;
  }

  private AbstractModule module(JsonNode layer) {
    JsonNode settings = layer.get("settings");
    int[] shape = shapes.get(layer.get("inputs").get(0).asText());
    return switch (layer.get("type").asText()) {
      case "Convolution" -> convolution(layer, settings, shape);
      case "FullyConnected" -> fullyConnected(layer, shape);
      case "Affine" -> affine(layer);
      case "Relu" -> relu(settings.get("slope").asDouble());
      case "Pooling" -> pooling(settings);
      case "Eltwise" -> eltwise(settings.get("method").asText());
      case "Concat" -> new JoinTable(settings.get("axis").asInt() + 1, -1, FLOAT, NUMERIC);
      case "Softmax" -> new SoftMax(FLOAT, NUMERIC);
      case "Sigmoid" -> new Sigmoid(FLOAT, NUMERIC);
      case "Power" -> new Power(number(settings, "power"), number(settings, "scale"), number(settings, "shift"), FLOAT,
          NUMERIC);
      case "LocalResponse" -> new SpatialCrossMapLRN(settings.get("size").asInt(), number(settings, "alpha"),
          number(settings, "beta"), number(settings, "k"), NCHW, FLOAT, NUMERIC);
      case "Normalize" -> normalize(layer, settings);
      case "Flatten" -> new InferReshape(new int[] {0, -1}, false, FLOAT, NUMERIC);
      default -> throw new IllegalArgumentException(
          "layer " + layer.get("name").asText() + ": the engine bigdl has no " + layer.get("type").asText());
    };
  }

  private AbstractModule convolution(JsonNode layer, JsonNode settings, int[] input) {
    int[] weightShape = NetworkFile.ints(layer.get("weights").get("weight").get("shape"));
    float[] weight = weights(layer, "weight");
    float[] bias = weights(layer, "bias");
    int[] stride = NetworkFile.ints(settings.get("stride"));
    int[] pad = NetworkFile.ints(settings.get("pad"));
    int[] dilation = NetworkFile.ints(settings.get("dilation"));
    int groups = settings.get("groups").asInt();
    int out = weightShape[0];
    int high = weightShape[2];
    int wide = weightShape[3];
    if (dilation[0] == 1 && dilation[1] == 1) {
      Tensor grouped = tensor(weight, groups, out / groups, weightShape[1], high, wide);
      return new SpatialConvolution(input[0], out, wide, high, stride[1], stride[0], pad[1], pad[0], groups, true, null,
          null, grouped, tensor(bias, out), null, null, true, NCHW, FLOAT, NUMERIC);
    }
    if (groups != 1) {
      throw new IllegalArgumentException(
          "layer " + layer.get("name").asText() + ": the engine bigdl has no convolution with both groups and dilation");
    }
    SpatialDilatedConvolution dilated = new SpatialDilatedConvolution(input[0], out, wide, high, stride[1], stride[0],
        pad[1], pad[0], dilation[1], dilation[0], null, null, FLOAT, NUMERIC);
    dilated.setWeightsBias(new Tensor[] {tensor(weight, weightShape), tensor(bias, out)});
    return dilated;
  }

  private AbstractModule fullyConnected(JsonNode layer, int[] input) {
    int[] weightShape = NetworkFile.ints(layer.get("weights").get("weight").get("shape"));
    return new Linear(weightShape[1], weightShape[0], true, null, null, tensor(weights(layer, "weight"), weightShape),
        tensor(weights(layer, "bias"), weightShape[0]), null, null, FLOAT, NUMERIC);
  }

  /** A batch normalisation whose mean is 0 and whose variance is 1: mkldnn runs it, and it is x * scale + shift. */
  private AbstractModule affine(JsonNode layer) {
    float[] scale = weights(layer, "scale");
    float[] shift = weights(layer, "shift");
    float[] mean = new float[scale.length];
    float[] variance = new float[scale.length];
    Arrays.fill(variance, (float) (1 - EPSILON));
    SpatialBatchNormalization module = new SpatialBatchNormalization(scale.length, EPSILON, 0.1, true,
        tensor(scale, scale.length), tensor(shift, shift.length), null, null, NCHW, FLOAT, NUMERIC);
    module.runningMean().copy(tensor(mean, mean.length));
    module.runningVar().copy(tensor(variance, variance.length));
    return module;
  }

  private static AbstractModule relu(double slope) {
    return slope == 0 ? new ReLU(false, FLOAT, NUMERIC) : new LeakyReLU(slope, false, FLOAT, NUMERIC);
  }

  private static AbstractModule pooling(JsonNode settings) {
    int[] kernel = NetworkFile.ints(settings.get("kernel"));
    int[] stride = NetworkFile.ints(settings.get("stride"));
    int[] pad = NetworkFile.ints(settings.get("pad"));
    boolean up = settings.get("roundUp").asBoolean();
    if (settings.get("method").asText().equals("average")) {
      return new SpatialAveragePooling(kernel[1], kernel[0], stride[1], stride[0], pad[1], pad[0], false, up, true, true,
          NCHW, FLOAT, NUMERIC);
    }
    SpatialMaxPooling max =
        new SpatialMaxPooling(kernel[1], kernel[0], stride[1], stride[0], pad[1], pad[0], NCHW, FLOAT, NUMERIC);
    return up ? max.ceil() : max.floor();
  }

  private static AbstractModule eltwise(String method) {
    return switch (method) {
      case "sum" -> new CAddTable(false, FLOAT, FLOAT, NUMERIC, NUMERIC);
      case "product" -> new CMulTable(FLOAT, NUMERIC);
      default -> new CMaxTable(FLOAT, NUMERIC);
    };
  }

  private AbstractModule normalize(JsonNode layer, JsonNode settings) {
    float[] scale = weights(layer, "scale");
    int[] shape = {1, scale.length, 1, 1};
    NormalizeScale module = new NormalizeScale(2.0, number(settings, "epsilon"), 1.0, shape, null, FLOAT, NUMERIC);
    module.setWeightsBias(new Tensor[] {tensor(scale, shape)});
    return module;
  }

  private float[] weights(JsonNode layer, String name) {
    return file.floats(layer.get("weights").get(name));
  }

  private static double number(JsonNode settings, String name) {
    return settings.get(name).asDouble();
  }
}
