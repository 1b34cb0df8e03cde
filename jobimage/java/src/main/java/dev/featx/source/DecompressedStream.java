package dev.featx.source;

import java.io.IOException;
import java.io.InputStream;
import org.apache.commons.compress.compressors.CompressorInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;

/**
 * What a compressed stream holds, up to where it is damaged.
 *
 * <p>Decompressors throw away what they have read of a buffer when they reach a damage, or what follows the end. Here all of it
 * is returned before the failure is thrown. Zero bytes between and after the parts of a stream, as of files whose length was
 * rounded up, are skipped, as gzip does.
 */
final class DecompressedStream extends InputStream {
  private static final int STEP = 16 << 10; // bytes: some decompressors don't count what they lose

  private final InputStream stored;
  private final Parts parts;
  private final boolean checkedBlocks;
  private CompressorInputStream part;
  private IOException failure;

  /** Opens the next part of a compressed stream. */
  interface Parts {
    /** Opens the part at the stream's position. */
    CompressorInputStream open(InputStream stored) throws IOException;
  }

  /**
   * Opens the first part.
   *
   * @param stored the compressed bytes; it supports marks
   * @param parts its decompressor, which stops after one part if it can
   * @param checkedBlocks whether content is checked after each block, so that nothing of a damaged block may be used
   */
  DecompressedStream(InputStream stored, Parts parts, boolean checkedBlocks) throws IOException {
    this.stored = stored;
    this.checkedBlocks = checkedBlocks;
    this.parts = parts;
    this.part = parts.open(stored);
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
  }

  @Override
  public int read(byte[] bytes, int start, int count) throws IOException {
    if (failure != null) {
      throw failure;
    }
    int read;
    do {
      int limit = limit(count);
      long before = part.getBytesRead();
      try {
        read = part.read(bytes, start, limit);
      } catch (IOException e) {
        failure = e;
        read = (int) (part.getBytesRead() - before);
        if (read == 0 || checkedBlocks && !isAtEnd()) {
          throw e;
        }
      }
    } while (read < 0 && hasNext());
    return read;
  }

  /** Returns how many bytes to request: no more than a chunk of xz has left, since a damage in the next one would lose them. */
  private int limit(int count) throws IOException {
    if (checkedBlocks) {
      return count;
    }
    return Math.min(count, part instanceof XZCompressorInputStream ? Math.max(1, part.available()) : STEP);
  }

  private boolean isAtEnd() throws IOException {
    stored.mark(1);
    boolean end = stored.read() < 0;
    stored.reset();
    return end;
  }

  private boolean hasNext() throws IOException {
    int value;
    do {
      stored.mark(1);
      value = stored.read();
    } while (value == 0);
    if (value < 0) {
      return false;
    }
    stored.reset();
    try {
      part = parts.open(stored);
    } catch (IOException e) {
      failure = e;
      throw e;
    }
    return true;
  }

  @Override
  public void close() throws IOException {
    part.close();
  }
}
