package dev.featx.nets.bigdl;

import static dev.featx.nets.bigdl.Fusion.after;
import static dev.featx.nets.bigdl.Fusion.before;

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
import dev.featx.nets.Layer;
import dev.featx.nets.NetworkFile;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * Quantizes a graph's convolutions to 8-bit integers, with ranges of values observed on images
 * (featx_job/nets/quantization.py).
 *
 * <p>BigDL's own quantization (calcScales) takes the ranges of one batch and assumes that every layer handles integers. Here
 * a convolution stays in float32 if a layer after it would read its integers as floats, or if the net's output would be
 * rounded. A convolution must not be fused with a sum ({@link Fusion}): with two inputs, BigDL converts neither.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Quantization {
  private final List<Node> nodes;
  private final Map<Node, String> names = new IdentityHashMap<>();
  private final Map<String, Layer> layers = new HashMap<>();
  private final NetworkFile file;
  private final Map<Node, SpatialConvolution> selected = new IdentityHashMap<>();

  /**
   * Reads a converted graph before fusion, which removes layers' names.
   *
   * @param graph the graph
   * @param file the net it was built from
   */
  Quantization(Graph graph, NetworkFile file) {
    this.file = file;
    this.nodes = List.of((Node[]) graph.getSortedForwardExecutions());
    nodes.forEach(node -> names.put(node, ((AbstractModule) node.element()).getName()));
    file.layers().forEach(layer -> layers.put(layer.name(), layer));
  }

  /** Sets the scales of all convolutions that can compute in integers; call it after fusion. */
  void apply() {
    for (Node node : nodes) {
      if (node.element() instanceof SpatialConvolution convolution && input(convolution) != null
          && output(node) != null) {
        selected.put(node, convolution);
      }
    }
    List<Node> rejected;
    do {
      rejected = selected.keySet().stream().filter(node -> !after(node).stream().allMatch(this::takesIntegers)).toList();
      rejected.forEach(selected::remove);
    } while (!rejected.isEmpty());
    selected.forEach(this::quantize);
    checkLimits();
  }

  /**
   * Rejects upper limits (Clip) that would be lost: a Clip is a ReLU here, and only the integers' range limits its output.
   *
   * @throws RunProblem ModelInvalid, if a Clip follows a convolution in float32
   */
  void checkLimits() {
    for (Node node : nodes) {
      Layer layer = layers.get(names.get(node));
      if (layer != null && layer.type().equals("Clip") && !isUnsigned(node)) {
        throw new RunProblem(FailureClass.MODEL_INVALID, "model " + file.name() + ", layer " + names.get(node)
            + " (Clip): engine bigdl requires that the preceding layer computes in int8; use engine openvino");
      }
    }
  }

  /** Returns whether a layer interprets integers correctly and, if it passes them on, whether its readers do. */
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

  /** Returns whether a value comes from a selected convolution fused with a ReLU, and is therefore unsigned. */
  private boolean isUnsigned(Node node) {
    if (node.element() instanceof MaxPooling || node.element() instanceof Identity) {
      return !before(node).isEmpty() && isUnsigned(before(node).get(0));
    }
    return selected.containsKey(node) && selected.get(node).relu();
  }

  /** Returns whether a convolution should read its input as unsigned; integers must be read as they were written. */
  private boolean isUnsigned(Node source, float[] range) {
    Node origin = source;
    while (origin.element() instanceof MaxPooling || origin.element() instanceof Identity
        || origin.element() instanceof JoinTable) {
      origin = before(origin).get(0);
    }
    return selected.containsKey(origin) ? selected.get(origin).relu() : range[0] >= 0;
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

  /** Returns the range of a convolution's input, or null if it was not observed. */
  private float[] input(SpatialConvolution convolution) {
    Layer layer = layers.get(convolution.getName());
    return layer == null ? null : file.range(layer.inputs().get(0));
  }

  /** Returns the range of a convolution's output: that of the fused ReLU, if any. */
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
    float[] values = file.floats(layers.get(convolution.getName()).weights().get("weight"));
    float[] largest = new float[convolution.nOutputPlane()];
    int length = values.length / largest.length;
    for (int i = 0; i < values.length; i++) {
      largest[i / length] = Math.max(largest[i / length], Math.abs(values[i]));
    }
    for (int i = 0; i < largest.length; i++) {
      largest[i] = Math.max(largest[i], 1e-6f);
    }
    return largest;
  }
}
