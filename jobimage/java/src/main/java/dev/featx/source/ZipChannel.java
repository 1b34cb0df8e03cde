package dev.featx.source;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import org.apache.hadoop.fs.FSDataInputStream;

/** A stored file as a channel: a zip's directory is read in many small pieces, each of which would be a request. */
final class ZipChannel implements SeekableByteChannel {
  private static final int BUFFER = 256 << 10;

  private final FSDataInputStream stream;
  private final long size;
  private final byte[] buffer = new byte[BUFFER];
  private long bufferStart;
  private int buffered;
  private long position;
  private long budget = Long.MAX_VALUE;
  private boolean open = true;

  ZipChannel(FSDataInputStream stream, long size) {
    this.stream = stream;
    this.size = size;
  }

  /** Sets how many bytes may be read from now on. */
  void limit(long bytes) {
    budget = bytes;
  }

  /** Returns whether more was requested. */
  boolean isLimitReached() {
    return budget < 0;
  }

  @Override
  public int read(ByteBuffer target) throws IOException {
    if (position >= size) {
      return -1;
    }
    if (position < bufferStart || position >= bufferStart + buffered) {
      if (stream.getPos() != position) {
        stream.seek(position);
      }
      bufferStart = position;
      buffered = Math.max(0, stream.readNBytes(buffer, 0, (int) Math.min(BUFFER, size - position)));
      if (buffered == 0) {
        return -1;
      }
    }
    int offset = (int) (position - bufferStart);
    int count = Math.min(target.remaining(), buffered - offset);
    budget -= count;
    if (budget < 0) {
      throw new IOException("more bytes than the limit");
    }
    target.put(buffer, offset, count);
    position += count;
    return count;
  }

  @Override
  public long position() {
    return position;
  }

  @Override
  public SeekableByteChannel position(long newPosition) {
    if (newPosition < 0) {
      throw new IllegalArgumentException("a position before the start");
    }
    position = newPosition;
    return this;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public boolean isOpen() {
    return open;
  }

  @Override
  public void close() throws IOException {
    open = false;
    stream.close();
  }

  @Override
  public int write(ByteBuffer source) {
    throw new UnsupportedOperationException("a source is only read");
  }

  @Override
  public SeekableByteChannel truncate(long newSize) {
    throw new UnsupportedOperationException("a source is only read");
  }
}
