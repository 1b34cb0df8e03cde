package dev.featx.source;

import java.io.IOException;
import org.apache.hadoop.conf.Configuration;

/** The images of a shard, one after another, in the order of the rows. */
public interface Images extends AutoCloseable {
  /**
   * Returns the next image, or null if there is none.
   *
   * @throws IOException if the source does not answer
   */
  Image next() throws IOException, InterruptedException;

  @Override
  void close();

  /** What a shard consists of. */
  interface Part {
    /** Returns its images. */
    Images open(ReadSettings settings, Configuration conf) throws IOException;
  }
}
