package dev.featx.nets.bigdl;

import static dev.featx.nets.bigdl.Fusion.after;
import static dev.featx.nets.bigdl.Fusion.before;

import com.fasterxml.jackson.databind.JsonNode;
import com.intel.analytics.bigdl.dllib.nn.Graph;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.AbstractModule;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.BlasWrapper;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.Identity;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.JoinTable;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.Linear;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.MaxPooling;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.SpatialConvolution;
import com.intel.analytics.bigdl.dllib.utils.Node;
import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import dev.featx.nets.NetworkFile;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * Makes convolutions of a graph compute in 8-bit integers, from the ranges of values that were seen on images
 * (featx_job/nets/quantization.py).
 *
 * <p>BigDL's own way (calcScales) takes ranges of one batch and trusts every layer with integers. Here a convolution is left
 * in float32 where a layer behind it would take its integers for floats, and where the net's output would be rounded. A
 * convolution must not take a sum ({@link Fusion}): with two inputs, BigDL does not convert either.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Quantization {
  private final List<Node> nodes;
  private final Map<Node, String> names = new IdentityHashMap<>();
  private final Map<String, JsonNode> layers = new HashMap<>();
  private final NetworkFile file;
  private final Map<Node, SpatialConvolution> chosen = new IdentityHashMap<>();

  /**
   * Looks at a converted graph whose layers have not been fused yet: a fused layer loses its name.
   *
   * @param graph the graph
   * @param file the net it was made from
   */
  Quantization(Graph graph, NetworkFile file) {
    this.file = file;
    this.nodes = List.of((Node[]) graph.getSortedForwardExecutions());
    nodes.forEach(node -> names.put(node, ((AbstractModule) node.element()).getName()));
    file.layers().forEach(layer -> layers.put(layer.get("name").asText(), layer));
  }

  /** Sets the scales of all convolutions that can compute in integers; to be called when layers have been fused. */
  void apply() {
    for (Node node : nodes) {
      if (node.element() instanceof SpatialConvolution convolution && input(convolution) != null
          && output(node) != null) {
        chosen.put(node, convolution);
      }
    }
    List<Node> refused;
    do {
      refused = chosen.keySet().stream().filter(node -> !after(node).stream().allMatch(this::takesIntegers)).toList();
      refused.forEach(chosen::remove);
    } while (!refused.isEmpty());
    chosen.forEach(this::quantize);
    checkLimits();
  }

  /**
   * Refuses limits (Clip) that are not kept: they stand here as ReLUs, whose upper limit is that there is no integer above it.
   *
   * @throws RunProblem ModelInvalid, if there is one after a convolution in float32
   */
  void checkLimits() {
    for (Node node : nodes) {
      JsonNode layer = layers.get(names.get(node));
      if (layer != null && layer.get("type").asText().equals("Clip") && !isUnsigned(node)) {
        throw new RunProblem(FailureClass.MODEL_INVALID, "model " + file.name() + ", layer " + names.get(node)
            + " (Clip): engine bigdl requires that the preceding layer computes in int8; use engine openvino");
      }
    }
  }

  /** Returns whether a layer reads integers as what they stand for, and if it hands them on, its readers do. */
  private boolean takesIntegers(Node node) {
    Object module = node.element();
    if (module instanceof JoinTable && !before(node).stream().allMatch(this::isUnsigned)) {
      return false;
    }
    if (module instanceof MaxPooling || module instanceof JoinTable || module instanceof Identity) {
      return !after(node).isEmpty() && after(node).stream().allMatch(this::takesIntegers);
    }
    return module instanceof SpatialConvolution || module instanceof Linear || module instanceof BlasWrapper;
  }

  /** Returns whether a value comes from a convolution that was chosen and ends in a ReLU: all such are of one kind. */
  private boolean isUnsigned(Node node) {
    if (node.element() instanceof MaxPooling || node.element() instanceof Identity) {
      return !before(node).isEmpty() && isUnsigned(before(node).get(0));
    }
    return chosen.containsKey(node) && chosen.get(node).relu();
  }

  /** Returns whether a convolution should take its input as unsigned: as the integers that are there, if there are any. */
  private boolean isUnsigned(Node source, float[] range) {
    Node maker = source;
    while (maker.element() instanceof MaxPooling || maker.element() instanceof Identity || maker.element() instanceof JoinTable) {
      maker = before(maker).get(0);
    }
    return chosen.containsKey(maker) ? chosen.get(maker).relu() : range[0] >= 0;
  }

  private void quantize(Node node, SpatialConvolution convolution) {
    float[] input = input(convolution);
    convolution.setQuantize(true);
    convolution.negativeInput_$eq(!isUnsigned(before(node).get(0), input));
    convolution.setInputScales(new float[][] {{largest(input)}});
    convolution.setOutputScales(new float[][] {{largest(output(node))}});
    convolution.setWeightDimMask(convolution.nGroup() == 1 ? 1 : 3, false);
    convolution.setWeightScales(new float[][] {largestOfChannels(convolution)});
  }

  /** Returns the range of what a convolution reads, or null if none was seen. */
  private float[] input(SpatialConvolution convolution) {
    JsonNode layer = layers.get(convolution.getName());
    return layer == null ? null : file.range(layer.get("inputs").get(0).asText());
  }

  /** Returns the range of what a convolution writes: that of the ReLU which became part of it, if there is one. */
  private float[] output(Node node) {
    String name = names.get(node);
    for (Node at = node; after(at).size() == 1 && after(at).get(0).element() instanceof Identity;) {
      at = after(at).get(0);
      name = names.get(at);
    }
    return file.range(name);
  }

  private static float largest(float[] range) {
    return Math.max(Math.max(Math.abs(range[0]), Math.abs(range[1])), Float.MIN_NORMAL);
  }

  private float[] largestOfChannels(SpatialConvolution convolution) {
    float[] values = file.floats(layers.get(convolution.getName()).get("weights").get("weight"));
    float[] largest = new float[convolution.nOutputPlane()];
    int each = values.length / largest.length;
    for (int i = 0; i < values.length; i++) {
      largest[i / each] = Math.max(largest[i / each], Math.abs(values[i]));
    }
    for (int i = 0; i < largest.length; i++) {
      largest[i] = Math.max(largest[i], 1e-6f);
    }
    return largest;
  }
}
