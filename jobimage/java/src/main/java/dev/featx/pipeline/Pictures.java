package dev.featx.pipeline;

import java.io.IOException;
import org.apache.hadoop.conf.Configuration;

/** The pictures of a shard, one after another, in the order of the rows. */
interface Pictures extends AutoCloseable {
  /**
   * Returns the next picture, or null if there is none.
   *
   * @throws IOException if the source does not answer
   */
  Picture next() throws IOException, InterruptedException;

  @Override
  void close();

  /** What a shard consists of. */
  interface Part {
    /** Returns its pictures. */
    Pictures open(Plan plan, Configuration conf) throws IOException;
  }
}
