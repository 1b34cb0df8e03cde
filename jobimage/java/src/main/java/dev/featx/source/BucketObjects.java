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
 * Fetches whole objects from a bucket, each with one plain GET of a URL signed by the SDK.
 *
 * <p>S3A is built for seeking in large files. Its stream and the SDK's request pipeline cost more than the bytes of a small
 * object; only the endpoint, the credentials and the signature come from them. An object's size is its current one, not the
 * listed one.
 */
final class BucketObjects {
  private static final Duration VALID = Duration.ofMinutes(15); // of a signed URL, which is used immediately
  private static final List<String> REFUSALS = List.of("ExpiredToken", "InvalidToken", "InvalidAccessKeyId");
  // The response contains keys too, with angle brackets escaped.
  private static final Pattern CODE = Pattern.compile("<Code>(\\w+)</Code>");
  private static final int MAX_ERROR_BYTES = 4096;

  private final String bucket;
  private final Function<String, URL> urls; // of objects, by key
  private final int connectMillis;
  private final int readMillis;

  /**
   * Creates a reader of a bucket.
   *
   * @param bucket its name
   * @param conf S3A's settings
   */
  BucketObjects(String bucket, Configuration conf) {
    this.bucket = bucket;
    this.urls = urls(new BucketSettings(bucket, conf));
    this.connectMillis = (int) conf.getTimeDuration("fs.s3a.connection.establish.timeout", 5_000, TimeUnit.MILLISECONDS);
    this.readMillis = (int) conf.getTimeDuration("fs.s3a.connection.timeout", 60_000, TimeUnit.MILLISECONDS);
  }

  private static Function<String, URL> urls(BucketSettings settings) {
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
   * Fetches an object.
   *
   * @param key of the object
   * @param maxBytes larger objects are not fetched
   * @throws IOException if the object no longer exists (FileNotFoundException), access is denied (AccessDeniedException), or
   *     the store does not respond
   */
  Fetched whole(String key, long maxBytes) throws IOException {
    HttpURLConnection response = connect(key);
    if (response.getResponseCode() != HttpURLConnection.HTTP_OK) {
      throw error(key, response);
    }
    long size = response.getContentLengthLong();
    try (InputStream stream = response.getInputStream()) {
      if (size > maxBytes) {
        response.disconnect();
        return new Fetched(size, null);
      }
      // A gateway may send an object in chunks, without a length.
      byte[] bytes = stream.readNBytes((int) (size < 0 ? maxBytes + 1 : size));
      if (bytes.length < size) {
        throw new EOFException("connection to the store was lost after " + bytes.length + " of " + size + " bytes");
      }
      return new Fetched(bytes.length, bytes.length > maxBytes ? null : bytes);
    }
  }

  private HttpURLConnection connect(String key) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) urls.apply(key).openConnection();
    connection.setConnectTimeout(connectMillis);
    connection.setReadTimeout(readMillis);
    return connection;
  }

  /** Converts an error response; the URL is left out, since its signature grants access for a while. */
  private IOException error(String key, HttpURLConnection response) throws IOException {
    int status = response.getResponseCode();
    String name = "s3://" + bucket + "/" + key;
    String body;
    try (InputStream stream = response.getErrorStream()) {
      body = stream == null ? "" : new String(stream.readNBytes(MAX_ERROR_BYTES), StandardCharsets.UTF_8);
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
