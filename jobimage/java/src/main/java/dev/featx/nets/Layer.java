package dev.featx.nets;

import static java.util.Map.entry;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * A layer of a network file.
 *
 * @param name by which other layers refer to it
 * @param type name of its operation
 * @param inputs names of the layers that it reads
 * @param shape of its output, without the batch axis
 * @param settings the operation's own
 * @param weights its arrays
 */
public record Layer(String name, String type, List<String> inputs, int[] shape, Map<String, JsonNode> settings,
    Map<String, Array> weights) {
  /** The settings of each operation that the engine bigdl supports, as in crds/featx_api/network_header.py. */
  static final Map<String, Set<String>> SETTINGS = Map.ofEntries(
      entry("Convolution", Set.of("stride", "pad", "dilation", "groups")),
      entry("FullyConnected", Set.of()),
      entry("Affine", Set.of()),
      entry("Relu", Set.of("slope")),
      entry("Clip", Set.of("low", "high")),
      entry("Pooling", Set.of("method", "kernel", "stride", "pad", "roundUp")),
      entry("Eltwise", Set.of("method", "factors")),
      entry("Concat", Set.of("axis")),
      entry("Softmax", Set.of("axis")),
      entry("Sigmoid", Set.of()),
      entry("Power", Set.of("power", "scale", "shift")),
      entry("LocalResponse", Set.of("size", "alpha", "beta", "k")),
      entry("Normalize", Set.of("epsilon")),
      entry("Flatten", Set.of()),
      entry("Reshape", Set.of("dims")),
      entry("Permute", Set.of("order")));

  /**
   * Checks that no setting is missing or unknown, which would silently change the net.
   *
   * @throws IllegalArgumentException if one is
   */
  public Layer {
    for (Object field : new Object[] {name, type, inputs, shape, settings, weights}) {
      Objects.requireNonNull(field, "a layer must have name, type, inputs, shape, settings and weights");
    }
    if (!settings.keySet().equals(SETTINGS.getOrDefault(type, settings.keySet()))) {
      throw new IllegalArgumentException(
          "layer " + name + ": " + type + " has settings " + settings.keySet() + "; must be " + SETTINGS.get(type));
    }
  }

  /**
   * A float32 array stored among the weights.
   *
   * @param offset in bytes, from the start of the weights
   * @param shape of the array
   */
  public record Array(long offset, int[] shape) {}

  /**
   * Returns a setting.
   *
   * @throws IllegalArgumentException if the operation has no such setting
   */
  public JsonNode setting(String setting) {
    JsonNode value = settings.get(setting);
    if (value == null) {
      throw new IllegalArgumentException("layer " + name + ": " + type + " has no setting " + setting);
    }
    return value;
  }

  /** Returns a setting that is a number. */
  public double number(String setting) {
    return setting(setting).asDouble();
  }

  /** Returns a setting that is a number per axis. */
  public int[] ints(String setting) {
    JsonNode values = setting(setting);
    int[] ints = new int[values.size()];
    for (int i = 0; i < ints.length; i++) {
      ints[i] = values.get(i).asInt();
    }
    return ints;
  }
}
