package dev.featx.source;

import java.io.IOException;
import org.apache.hadoop.fs.FSInputStream;

/** A stream of Hadoop that reads arrays; a single byte is an array of one. */
abstract class ArrayInputStream extends FSInputStream {
  @Override
  public final int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public abstract int read(byte[] bytes, int start, int count) throws IOException;
}
