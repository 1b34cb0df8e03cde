package dev.featx.nets;

import java.util.Arrays;

/**
 * Records the lowest and highest values of a net's input and of all its outputs.
 *
 * <p>After the net's own outputs, the wrapped net also outputs the values of its layers (featx_job/nets/quantization.py,
 * watched).
 */
public final class WatchedNetwork implements CompiledNetwork {
  private final CompiledNetwork network;
  private final int outputs;
  private float[][] ranges;

  /**
   * Wraps a net.
   *
   * @param network computes all values
   * @param outputs number of outputs that are the net's own, which come first
   */
  public WatchedNetwork(CompiledNetwork network, int outputs) {
    this.network = network;
    this.outputs = outputs;
  }

  @Override
  public int[] inputShape() {
    return network.inputShape();
  }

  @Override
  public int batch() {
    return network.batch();
  }

  @Override
  public Precision precision() {
    return network.precision();
  }

  @Override
  public float[][] forward(float[] images, int count) {
    float[][] values = network.forward(images, count);
    record(images, count * inputSize(), values);
    return Arrays.copyOf(values, outputs);
  }

  private synchronized void record(float[] input, int length, float[][] values) {
    if (ranges == null) {
      ranges = new float[values.length + 1][];
      Arrays.setAll(ranges, i -> new float[] {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY});
    }
    widen(ranges[0], input, length);
    for (int i = 0; i < values.length; i++) {
      widen(ranges[i + 1], values[i], values[i].length);
    }
  }

  private static void widen(float[] range, float[] values, int count) {
    for (int i = 0; i < count; i++) {
      range[0] = Math.min(range[0], values[i]);
      range[1] = Math.max(range[1], values[i]);
    }
  }

  /** Returns the observed ranges, or null before the first image. */
  public synchronized SeenValues seen() {
    return ranges == null ? null : new SeenValues(ranges[0], Arrays.copyOfRange(ranges, 1, ranges.length));
  }

  @Override
  public void close() {
    network.close();
  }
}
