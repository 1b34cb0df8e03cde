package dev.featx.task;

import java.io.Serializable;

/**
 * The result of reading shards without running nets.
 *
 * @param images that were read
 * @param bytes of them
 * @param unreadable images that could not be read
 * @param seconds that it took, all shards together
 */
public record ReadResult(long images, long bytes, long unreadable, double seconds) implements Serializable {
  public static final ReadResult NONE = new ReadResult(0, 0, 0, 0);

  /** Returns the sum of two results that took as long as this one. */
  public ReadResult plus(ReadResult other) {
    return new ReadResult(images + other.images, bytes + other.bytes, unreadable + other.unreadable, seconds);
  }

  /** Returns the same result with the time that it took. */
  public ReadResult in(double time) {
    return new ReadResult(images, bytes, unreadable, time);
  }
}
