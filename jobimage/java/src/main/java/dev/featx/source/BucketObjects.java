package dev.featx.source;

import dev.featx.security.BucketSettings;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;

/**
 * Fetches whole objects of a bucket, each by one plain GET of a signed address ({@link SignedAddresses}).
 *
 * <p>S3A is built for seeking in large files. Its stream and the SDK's machinery around a request cost more than a small
 * object's bytes do. An object is as large as it is now, not as it was listed.
 */
final class BucketObjects {
  private static final List<String> REFUSALS = List.of("ExpiredToken", "InvalidToken", "InvalidAccessKeyId");
  // The response has the key too, with their angle brackets escaped.
  private static final Pattern CODE = Pattern.compile("<Code>(\\w+)</Code>");
  private static final int MOST_OF_AN_ERROR = 4096;

  private final String bucket;
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
    this.addresses = new SignedAddresses(new BucketSettings(bucket, conf));
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
   * @throws IOException if it is gone, refused (both as Java's own exceptions), or the store does not respond
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
      // A gateway may send an object in chunks, without saying how many.
      byte[] bytes = stream.readNBytes((int) (size < 0 ? maxBytes + 1 : size));
      if (bytes.length < size) {
        throw new EOFException("connection to the store was lost after " + bytes.length + " of " + size + " bytes");
      }
      return new Fetched(bytes.length, bytes.length > maxBytes ? null : bytes);
    }
  }

  private HttpURLConnection open(String key) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) addresses.of(key).openConnection();
    connection.setInstanceFollowRedirects(false); // a store does not send its clients elsewhere
    connection.setConnectTimeout(connectMillis);
    connection.setReadTimeout(readMillis);
    return connection;
  }

  /** Returns the failure that a response means; without the address, whose signature is usable like a key for a while. */
  private IOException toException(String key, HttpURLConnection response) throws IOException {
    int status = response.getResponseCode();
    String name = "s3://" + bucket + "/" + key;
    String body;
    try (InputStream stream = response.getErrorStream()) {
      body = stream == null ? "" : new String(stream.readNBytes(MOST_OF_AN_ERROR), StandardCharsets.UTF_8);
    }
    Matcher code = CODE.matcher(body);
    if (status == HttpURLConnection.HTTP_NOT_FOUND) {
      return new FileNotFoundException(name);
    }
    if (status == HttpURLConnection.HTTP_FORBIDDEN || status == HttpURLConnection.HTTP_UNAUTHORIZED
        || code.find() && REFUSALS.contains(code.group(1))) {
      return new AccessDeniedException(name, null, "the store responded with status " + status);
    }
    return new IOException("the store responded with status " + status + " for " + name);
  }
}
