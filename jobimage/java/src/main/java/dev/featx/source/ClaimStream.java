package dev.featx.source;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;

/** An open file of a claim, as Hadoop's file systems show it. */
final class ClaimStream extends ArrayInputStream {
  private final SeekableByteChannel channel;

  ClaimStream(SeekableByteChannel channel) {
    this.channel = channel;
  }

  @Override
  public int read(byte[] bytes, int start, int length) throws IOException {
    return channel.read(ByteBuffer.wrap(bytes, start, length));
  }

  @Override
  public int available() throws IOException {
    return (int) Math.min(Integer.MAX_VALUE, Math.max(0, channel.size() - channel.position()));
  }

  @Override
  public void seek(long position) throws IOException {
    if (position < 0) {
      throw new EOFException("cannot seek to " + position);
    }
    channel.position(position);
  }

  @Override
  public long getPos() throws IOException {
    return channel.position();
  }

  @Override
  public boolean seekToNewSource(long position) {
    return false;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
