package dev.featx.source;

import dev.featx.failure.CutResponse;
import dev.featx.failure.StoreResponse;
import dev.featx.security.BucketSettings;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;

/**
 * Fetches objects of a bucket, each by a plain GET of a signed address ({@link SignedAddresses}): images whole, and files that
 * hold many images as streams ({@link BucketStream}).
 *
 * <p>S3A is built for seeking in large files. Its stream and the SDK's machinery around a request cost more than a small
 * object's bytes do. An object is as large as it is now, not as it was listed.
 */
final class BucketObjects {
  private static final int RANGE_NOT_SATISFIABLE = 416; // of an object without bytes
  private static final String NO_BUCKET = "NoSuchBucket";
  private static final int MOST_OF_AN_ERROR = 4096;

  private final String bucket;
  private final Map<String, String> headers;
  private final SignedAddresses addresses;
  private final int connectMillis;
  private final int readMillis;

  /**
   * Uses a bucket.
   *
   * @param bucket its name
   * @param conf S3A's settings
   */
  BucketObjects(String bucket, Configuration conf) {
    this.bucket = bucket;
    BucketSettings settings = new BucketSettings(bucket, conf);
    this.headers = settings.headers();
    this.addresses = new SignedAddresses(settings, headers);
    this.connectMillis = (int) conf.getTimeDuration("fs.s3a.connection.establish.timeout", 5_000, TimeUnit.MILLISECONDS);
    this.readMillis = (int) conf.getTimeDuration("fs.s3a.connection.timeout", 60_000, TimeUnit.MILLISECONDS);
  }

  /** Returns the bucket's name. */
  String bucket() {
    return bucket;
  }

  /**
   * Returns an object.
   *
   * @param key of the image
   * @param maxBytes a larger one's bytes are not fetched
   * @throws IOException if it is gone (as Java's own exception), refused ({@link StoreResponse}), or the store does not respond
   */
  Fetched fetch(String key, long maxBytes) throws IOException {
    HttpURLConnection response = open(key);
    if (response.getResponseCode() != HttpURLConnection.HTTP_OK) {
      throw toException(key, response);
    }
    long size = response.getContentLengthLong();
    try (InputStream stream = response.getInputStream()) {
      if (size > maxBytes) {
        response.disconnect();
        return new Fetched(size, null);
      }
      byte[] bytes = content(stream, size, maxBytes);
      return new Fetched(bytes.length, bytes.length > maxBytes ? null : bytes);
    }
  }

  /** Returns the bytes of an object; a gateway may send one in chunks, without saying how many bytes there are. */
  private static byte[] content(InputStream stream, long size, long maxBytes) throws CutResponse {
    byte[] bytes = new byte[(int) Math.max(size, 0)];
    int received = 0;
    try {
      if (size < 0) {
        return stream.readNBytes((int) (maxBytes + 1));
      }
      for (int count = 0; received < size && count >= 0; received += Math.max(count, 0)) {
        count = stream.read(bytes, received, bytes.length - received);
      }
    } catch (IOException e) {
      throw new CutResponse(received, size, e);
    }
    if (received < size) {
      throw new CutResponse(received, size, null);
    }
    return bytes;
  }

  /**
   * Checks that an object can be read, by reading its first byte.
   *
   * @throws IOException as {@link #fetch}
   */
  void check(String key) throws IOException {
    HttpURLConnection response = open(key);
    response.setRequestProperty("Range", "bytes=0-0");
    int status = response.getResponseCode();
    if (status != HttpURLConnection.HTTP_OK && status != HttpURLConnection.HTTP_PARTIAL && status != RANGE_NOT_SATISFIABLE) {
      throw toException(key, response);
    }
    if (status != RANGE_NOT_SATISFIABLE) {
      try (InputStream stream = response.getInputStream()) {
        if (stream.read() < 0 && response.getContentLengthLong() != 0) {
          throw new CutResponse(0, response.getContentLengthLong(), null);
        }
      }
    }
    response.disconnect();
  }

  /**
   * Returns an object's size.
   *
   * @throws IOException as {@link #fetch}
   */
  long size(String key) throws IOException {
    HttpURLConnection response = open(key);
    response.setRequestProperty("Range", "bytes=0-0");
    int status = response.getResponseCode();
    try {
      if (status == RANGE_NOT_SATISFIABLE) {
        return 0;
      }
      if (status == HttpURLConnection.HTTP_OK) {
        return response.getContentLengthLong();
      }
      if (status != HttpURLConnection.HTTP_PARTIAL) {
        throw toException(key, response);
      }
      String range = response.getHeaderField("Content-Range");
      return Long.parseLong(range.substring(range.lastIndexOf('/') + 1));
    } finally {
      response.disconnect();
    }
  }

  /**
   * Requests an object from a position to its end.
   *
   * @param version the ETag that it must have, or null
   * @throws IOException as {@link #fetch}
   */
  HttpURLConnection openAt(String key, long position, String version) throws IOException {
    HttpURLConnection response = open(key);
    response.setRequestProperty("Range", "bytes=" + position + "-");
    if (version != null) {
      response.setRequestProperty("If-Match", version);
    }
    int status = response.getResponseCode();
    if (status != HttpURLConnection.HTTP_PARTIAL && !(status == HttpURLConnection.HTTP_OK && position == 0)) {
      throw toException(key, response);
    }
    return response;
  }

  private HttpURLConnection open(String key) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) addresses.of(key).openConnection();
    headers.forEach(connection::setRequestProperty);
    connection.setInstanceFollowRedirects(false); // a store does not send its clients elsewhere
    connection.setConnectTimeout(connectMillis);
    connection.setReadTimeout(readMillis);
    return connection;
  }

  /** Returns the failure that a response means; without the address, whose signature is usable like a key for a while. */
  private IOException toException(String key, HttpURLConnection response) throws IOException {
    int status = response.getResponseCode();
    String body;
    try (InputStream stream = status < HttpURLConnection.HTTP_BAD_REQUEST ? response.getInputStream() : response.getErrorStream()) {
      body = stream == null ? "" : new String(stream.readNBytes(MOST_OF_AN_ERROR), StandardCharsets.UTF_8);
    }
    String name = "s3://" + bucket + "/" + key;
    StoreResponse problem = StoreResponse.of(status, body, name);
    boolean missing = status == HttpURLConnection.HTTP_NOT_FOUND && !problem.code().equals(NO_BUCKET);
    return missing ? new FileNotFoundException(name) : problem;
  }
}
