package dev.featx.nets;

import java.util.concurrent.BlockingQueue;

/**
 * A net that an engine has compiled to run batches, once per JVM (dev.featx.nets.loading).
 *
 * <p>An engine is an implementation of this interface and a constant of {@link Engine}.
 */
public interface CompiledNetwork extends AutoCloseable {
  /** Returns {channels, height, width} of an image. */
  int[] inputShape();

  /** Returns the maximum number of images per forward pass. */
  int batch();

  /** Returns the precision of the arithmetic. */
  Precision precision();

  /** Returns the number of floats per image. */
  default int inputSize() {
    int[] shape = inputShape();
    return shape[0] * shape[1] * shape[2];
  }

  /**
   * Runs a batch; may be called from several threads at once.
   *
   * @param images images one after another, each channels x height x width
   * @param count number of images, at most {@link #batch()}
   * @return the values of each output for these images one after another, in the network file's order
   * @throws IllegalArgumentException if there are too few floats for count images, or count is not between 1 and batch
   */
  float[][] forward(float[] images, int count);

  /** Frees the native memory. */
  @Override
  void close();

  /** Checks the number of images. */
  static void check(int count, int batch) {
    if (count < 1 || count > batch) {
      throw new IllegalArgumentException("batch of " + count + " images; must be 1 to " + batch);
    }
  }

  /** Takes a free element, waiting if there is none. */
  static <T> T borrow(BlockingQueue<T> free) {
    try {
      return free.take();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("the task was interrupted", e);
    }
  }
}
