package dev.featx.source;

import java.io.IOException;
import org.apache.hadoop.conf.Configuration;

/** Iterates over the images of a shard, in the order of the rows. */
public interface Images extends AutoCloseable {
  /**
   * Returns the next image, or null after the last one.
   *
   * @throws IOException if the source does not respond
   */
  Image next() throws IOException, InterruptedException;

  /** Returns how many images that it has passed were not selected, and so not returned. */
  default int skipped() {
    return 0;
  }

  @Override
  void close();

  /** The input of a shard. */
  interface Part {
    /** Opens its images. */
    Images open(ReadSettings settings, Configuration conf) throws IOException;
  }
}
