package dev.featx.source;

import dev.featx.security.BucketSettings;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.S3Utilities;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;

/**
 * Fetches whole objects of a bucket, each by one plain GET of an address that the SDK has signed.
 *
 * <p>S3A is made for seeking in large files. Its stream and the SDK's machinery around a request cost more than a small
 * object's bytes do; what is theirs here are the endpoint, the credentials and the signature. An object is as large as it is
 * now, not as it was listed.
 */
final class BucketObjects {
  private static final Duration VALID = Duration.ofMinutes(15); // of an address; it is used at once
  private static final List<String> REFUSALS = List.of("ExpiredToken", "InvalidToken", "InvalidAccessKeyId");
  // Keys stand in the answer too, with their angle brackets escaped.
  private static final Pattern CODE = Pattern.compile("<Code>(\\w+)</Code>");
  private static final int MOST_OF_AN_ERROR = 4096;

  private final String bucket;
  private final Function<String, URL> addresses; // of objects, by key
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
    this.addresses = addresses(new BucketSettings(bucket, conf));
    this.connectMillis = (int) conf.getTimeDuration("fs.s3a.connection.establish.timeout", 5_000, TimeUnit.MILLISECONDS);
    this.readMillis = (int) conf.getTimeDuration("fs.s3a.connection.timeout", 60_000, TimeUnit.MILLISECONDS);
  }

  private static Function<String, URL> addresses(BucketSettings settings) {
    AwsCredentialsProvider credentials = settings.credentials();
    S3Configuration style = S3Configuration.builder().pathStyleAccessEnabled(true).build();
    if (credentials == null) {
      S3Utilities plain = S3Utilities.builder().region(settings.region()).s3Configuration(style).build();
      return key -> plain.getUrl(get -> get.bucket(settings.bucket()).key(key).endpoint(settings.endpoint()));
    }
    S3Presigner signer = S3Presigner.builder().region(settings.region()).endpointOverride(settings.endpoint())
        .credentialsProvider(credentials).serviceConfiguration(style).build();
    return key -> signer.presignGetObject(presigned -> presigned.signatureDuration(VALID)
        .getObjectRequest(get -> get.bucket(settings.bucket()).key(key))).url();
  }

  /** Returns the bucket's name. */
  String bucket() {
    return bucket;
  }

  /**
   * Returns an object.
   *
   * @param key of the object
   * @param maxBytes a larger one's bytes are not fetched
   * @throws IOException if it is gone, refused (both as Java's own exceptions), or the store does not answer
   */
  Fetched whole(String key, long maxBytes) throws IOException {
    HttpURLConnection answer = asked(key);
    if (answer.getResponseCode() != HttpURLConnection.HTTP_OK) {
      throw refused(key, answer);
    }
    long size = answer.getContentLengthLong();
    try (InputStream stream = answer.getInputStream()) {
      if (size > maxBytes) {
        answer.disconnect();
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

  private HttpURLConnection asked(String key) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) addresses.apply(key).openConnection();
    connection.setConnectTimeout(connectMillis);
    connection.setReadTimeout(readMillis);
    return connection;
  }

  /** Returns what an answer means; the address is not in it, since its signature is as good as the key for a while. */
  private IOException refused(String key, HttpURLConnection answer) throws IOException {
    int status = answer.getResponseCode();
    String name = "s3://" + bucket + "/" + key;
    String body;
    try (InputStream stream = answer.getErrorStream()) {
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
