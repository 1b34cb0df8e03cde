package dev.featx.nets;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * The lowest and the highest values that a net's outputs, and its input, took on pictures.
 *
 * <p>The net is one whose outputs are all of its layers (featx_job/nets/quantization.py, watched).
 */
public final class Ranges {
  private final CompiledNetwork network;
  private final float[] input = none();
  private final float[][] outputs;

  /**
   * Has seen nothing yet.
   *
   * @param network what computes the values; it is given one picture at a time, as all of a net's values are many
   * @param count how many outputs it has
   */
  public Ranges(CompiledNetwork network, int count) {
    this.network = network;
    this.outputs = new float[count][];
    for (int i = 0; i < count; i++) {
      outputs[i] = none();
    }
  }

  /**
   * Looks at pictures.
   *
   * @param pictures as {@link CompiledNetwork#forward}
   * @param count how many
   */
  public synchronized void see(float[] pictures, int count) {
    int size = network.inputSize();
    float[] one = new float[size];
    for (int picture = 0; picture < count; picture++) {
      System.arraycopy(pictures, picture * size, one, 0, size);
      widen(input, one);
      float[][] values = network.forward(one, 1);
      for (int i = 0; i < outputs.length; i++) {
        widen(outputs[i], values[i]);
      }
    }
  }

  /** Returns {"input": [lowest, highest], "outputs": [[lowest, highest], ...]}. */
  public ObjectNode toJson() {
    ObjectNode json = new ObjectMapper().createObjectNode();
    json.putArray("input").add(input[0]).add(input[1]);
    ArrayNode all = json.putArray("outputs");
    for (float[] range : outputs) {
      all.addArray().add(range[0]).add(range[1]);
    }
    return json;
  }

  private static float[] none() {
    return new float[] {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
  }

  private static void widen(float[] range, float[] values) {
    for (float value : values) {
      range[0] = Math.min(range[0], value);
      range[1] = Math.max(range[1], value);
    }
  }
}
