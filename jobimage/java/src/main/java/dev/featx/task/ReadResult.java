package dev.featx.task;

import java.io.Serializable;

/**
 * The result of reading shards without running nets.
 *
 * @param images number of images read
 * @param bytes their total size
 * @param unreadable number of images that could not be read
 * @param seconds elapsed for all shards together
 */
public record ReadResult(long images, long bytes, long unreadable, double seconds) implements Serializable {
  public static final ReadResult NONE = new ReadResult(0, 0, 0, 0);

  /** Returns the sum of two results, with this one's duration. */
  public ReadResult plus(ReadResult other) {
    return new ReadResult(images + other.images, bytes + other.bytes, unreadable + other.unreadable, seconds);
  }

  /** Returns the same result with a duration in seconds. */
  public ReadResult in(double duration) {
    return new ReadResult(images, bytes, unreadable, duration);
  }
}
