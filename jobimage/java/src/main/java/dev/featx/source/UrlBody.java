package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import dev.featx.image.Signature;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Locale;
import java.util.Set;
import java.util.zip.GZIPInputStream;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import org.apache.commons.io.input.ProxyInputStream;

/**
 * The body of a response without its Content-Encoding: stores return what was uploaded, requested or not.
 *
 * <p>Many set the header for images that are stored as they are, so what begins like an image is one.
 */
final class UrlBody {
  private static final int BUFFER = 64 << 10;
  private static final Set<String> GZIP = Set.of("gzip", "x-gzip");
  private static final Set<String> PLAIN = Set.of("", "identity", "binary", "none");
  private static final Set<String> NAMED = Set.of("br", "zstd", "compress", "x-compress"); // others are not repeated in messages

  private final Received received;
  private final InputStream stream;
  private final boolean isDecoded;

  private UrlBody(Received received, InputStream stream, boolean isDecoded) {
    this.received = received;
    this.stream = stream;
    this.isDecoded = isDecoded;
  }

  /**
   * Begins to read a body.
   *
   * @param encoding value of the header; empty without one
   * @throws ImageProblem Unsupported, if the encoding is not read here
   * @throws IOException if the connection fails, or the body does not have its encoding
   */
  static UrlBody of(ImageUrl url, InputStream body, String encoding) throws IOException, ImageProblem {
    String name = encoding.strip().toLowerCase(Locale.ROOT);
    Received received = new Received(body);
    if (PLAIN.contains(name)) {
      return new UrlBody(received, received, false);
    }
    BufferedInputStream start = new BufferedInputStream(received, BUFFER);
    start.mark(Signature.LENGTH);
    byte[] head = start.readNBytes(Signature.LENGTH);
    start.reset();
    boolean isGzip = GZIP.contains(name);
    if (Signature.of(head) != null || isGzip && !startsWith(head, 0x1F, 0x8B)) {
      return new UrlBody(received, start, false);
    }
    if (isGzip) {
      return new UrlBody(received, new GZIPInputStream(start, BUFFER), true);
    }
    if (name.equals("deflate")) { // by zlib, or raw as of old servers
      boolean zlib = head.length > 1 && (head[0] & 0x0F) == 8 && ((head[0] & 0xFF) << 8 | head[1] & 0xFF) % 31 == 0;
      return new UrlBody(received, new InflaterInputStream(start, new Inflater(!zlib), BUFFER), true);
    }
    throw url.problem(QuarantineReason.UNSUPPORTED, "responded with " + (NAMED.contains(name) ? "Content-Encoding " + name
        : "a Content-Encoding") + " that is not read here; store the image without");
  }

  InputStream stream() {
    return stream;
  }

  /** Returns whether its size is not that of the response. */
  boolean isDecoded() {
    return isDecoded;
  }

  /** Returns whether a failure to read is the content's rather than the connection's. */
  boolean isDamaged() {
    return isDecoded && !received.failed;
  }

  private static boolean startsWith(byte[] head, int first, int second) {
    return head.length > 1 && (head[0] & 0xFF) == first && (head[1] & 0xFF) == second;
  }

  /** What the connection delivers, and whether it failed. */
  private static final class Received extends ProxyInputStream {
    private boolean failed;

    Received(InputStream body) {
      super(body);
    }

    @Override
    protected void handleIOException(IOException e) throws IOException {
      failed = true;
      throw e;
    }
  }
}
