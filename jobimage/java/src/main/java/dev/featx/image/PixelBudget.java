package dev.featx.image;

/**
 * Bounds the pixels that are decoded at one time, whatever sizes a shard's images have.
 *
 * <p>Images enter in the shard's order, so that whoever holds pixels comes before whoever waits for them: the batch that
 * holds them can always be run, and nothing waits for ever. An image larger than the whole budget enters when it is alone.
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
   * Waits until an image may be decoded. Called once for every image, with 0 for one that will not be.
   *
   * @param order the image's place in the shard, from 0
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

  /** Gives back what an image held. */
  public synchronized void leave(long pixels) {
    held -= pixels;
    notifyAll();
  }

  /** Returns whether the next image waits for pixels, so that a batch should be run as it is. */
  public synchronized boolean isStarved() {
    return starved;
  }
}
