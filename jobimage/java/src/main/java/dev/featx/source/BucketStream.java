package dev.featx.source;

import dev.featx.failure.StoreResponse;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.SocketException;

/**
 * A large object of a bucket as a stream: one GET from where it is read, and another after each longer seek.
 *
 * <p>A lost connection is resumed where it ended, as an archive would otherwise be read again from its start. All parts are
 * of one version of the object.
 */
final class BucketStream extends ArrayInputStream {
  private static final long NEAR = 256 << 10; // bytes that are read sooner than requested anew
  private static final int MOST_LOSSES = 3; // of the connection, with no byte between them

  private final BucketObjects bucket;
  private final String key;
  private final long size;
  private HttpURLConnection response;
  private InputStream body;
  private String version;
  private long bodyPosition;
  private long position;
  private int losses;

  /**
   * Creates a stream; nothing is requested yet.
   *
   * @param key of the object
   * @param size in bytes
   */
  BucketStream(BucketObjects bucket, String key, long size) {
    this.bucket = bucket;
    this.key = key;
    this.size = size;
  }

  @Override
  public int read(byte[] bytes, int start, int count) throws IOException {
    if (count == 0) {
      return 0;
    }
    while (position < size) {
      try {
        moveTo(position);
        int read = body.read(bytes, start, (int) Math.min(count, size - position));
        if (read < 0) {
          throw new EOFException("connection to the store was lost after " + position + " of " + size + " bytes");
        }
        losses = 0;
        position += read;
        bodyPosition = position;
        return read;
      } catch (StoreResponse | FileNotFoundException e) {
        close();
        throw e;
      } catch (IOException e) {
        close();
        if (++losses >= MOST_LOSSES) {
          // Not the EOFException itself, which would mean that the object ends here.
          throw e instanceof EOFException ? new SocketException(e.getMessage()) : e;
        }
      }
    }
    return -1;
  }

  private void moveTo(long target) throws IOException {
    if (body != null && (target < bodyPosition || target - bodyPosition > NEAR)) {
      close();
    }
    if (body == null) {
      response = bucket.openAt(key, target, version);
      version = response.getHeaderField("ETag");
      body = response.getInputStream();
      bodyPosition = target;
    }
    body.skipNBytes(target - bodyPosition);
    bodyPosition = target;
  }

  @Override
  public void seek(long target) throws IOException {
    if (target < 0 || target > size) {
      throw new EOFException("position " + target + " is outside of the object's " + size + " bytes");
    }
    position = target; // requested when it is read
  }

  @Override
  public long getPos() {
    return position;
  }

  @Override
  public boolean seekToNewSource(long target) {
    return false;
  }

  @Override
  public void close() {
    if (response != null) {
      response.disconnect(); // else Java would read the rest of the object
      response = null;
      body = null;
    }
  }
}
