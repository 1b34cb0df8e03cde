package dev.featx.nets;

import java.util.concurrent.BlockingQueue;

/**
 * A net that one of the engines has made ready to run batches; each is made once a JVM (dev.featx.nets.loading).
 *
 * <p>An engine is a class that implements this and a line in {@link Engine}.
 */
public interface CompiledNetwork extends AutoCloseable {
  /** Returns {channels, height, width} of an image. */
  int[] inputShape();

  /** Returns how many images a forward takes at the most. */
  int batch();

  /** Returns what the arithmetic is done in. */
  Precision precision();

  /** Returns how many floats an image has. */
  default int inputSize() {
    int[] shape = inputShape();
    return shape[0] * shape[1] * shape[2];
  }

  /**
   * Runs a batch; may be called from several threads at once.
   *
   * @param images images one after another, each channels x height x width
   * @param count how many there are, at most {@link #batch()}
   * @return for each output of the net, in the network file's order, its values for these images one after another
   * @throws IllegalArgumentException if there are too few floats for count images, or count is not 1 to batch
   */
  float[][] forward(float[] images, int count);

  /** Frees the native memory. */
  @Override
  void close();

  /** Refuses a count that does not fit. */
  static void check(int count, int batch) {
    if (count < 1 || count > batch) {
      throw new IllegalArgumentException("a batch of " + count + " where 1 to " + batch + " fit");
    }
  }

  /** Returns one of those that are free, after waiting for it if need be. */
  static <T> T taken(BlockingQueue<T> free) {
    try {
      return free.take();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("the task was ended", e);
    }
  }
}
