package dev.featx.image;

/**
 * Bounds the number of decoded pixels in memory, whatever the sizes of a shard's images.
 *
 * <p>Images enter in the shard's order, so images that hold pixels precede those that wait for them: the batch that holds
 * them can always run, and there is no deadlock. An image larger than the whole budget enters alone.
 */
public final class PixelBudget {
  private final long limit;
  private long held;
  private int next;
  private boolean starved;

  public PixelBudget(long limit) {
    this.limit = limit;
  }

  /**
   * Waits until an image may be decoded. Called once per image, with 0 pixels if it will not be decoded.
   *
   * @param order index of the image in the shard, from 0
   * @param pixels width times height
   */
  public synchronized void enter(int order, long pixels) throws InterruptedException {
    while (order != next || held > 0 && held + pixels > limit && pixels > 0) {
      if (order == next) {
        starved = true;
        notifyAll();
      }
      wait();
    }
    starved = false;
    held += pixels;
    next++;
    notifyAll();
  }

  /** Releases an image's pixels. */
  public synchronized void leave(long pixels) {
    held -= pixels;
    notifyAll();
  }

  /** Returns whether the next image waits for pixels, so that an incomplete batch should run. */
  public synchronized boolean isStarved() {
    return starved;
  }
}
