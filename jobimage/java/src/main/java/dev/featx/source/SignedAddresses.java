package dev.featx.source;

import dev.featx.security.BucketSettings;
import java.net.MalformedURLException;
import java.net.URI;
import java.net.URL;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4FamilyHttpSigner.AuthLocation;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.S3Utilities;

/**
 * Addresses of a bucket's objects, signed for a plain GET.
 *
 * <p>The SDK's S3Presigner builds a whole request for each: 0.7 ms on a machine where its signer alone takes 0.06 for the
 * same address (docs/bench/stores.md). A small object is read in less than that.
 */
final class SignedAddresses {
  private static final HexFormat HEX = HexFormat.of().withUpperCase();
  private static final Duration VALID = Duration.ofMinutes(15); // an address is used at once

  private final AwsV4HttpSigner signer = AwsV4HttpSigner.create();
  private final AwsCredentialsProvider credentials; // null for anonymous access
  private final Map<String, String> headers;
  private final String region;
  private final String base;

  /**
   * Uses a bucket.
   *
   * @param settings its settings
   * @param headers that requests have and sign
   */
  SignedAddresses(BucketSettings settings, Map<String, String> headers) {
    this.headers = headers;
    this.credentials = settings.credentials();
    this.region = settings.region().id();
    this.base = base(settings);
  }

  /** Returns the address that all keys are appended to; without an endpoint it depends on AWS's partition. */
  private static String base(BucketSettings settings) {
    S3Configuration style = S3Configuration.builder().pathStyleAccessEnabled(settings.pathStyle()).build();
    String key = "-";
    URL address = S3Utilities.builder().region(settings.region()).s3Configuration(style).build()
        .getUrl(get -> get.bucket(settings.bucket()).key(key).endpoint(settings.endpoint()));
    return address.toString().substring(0, address.toString().length() - key.length());
  }

  /** Returns the address of the object that an image's key names. */
  URL of(String key) throws MalformedURLException {
    URI plain = URI.create(base + encode(ImageKeys.bytes(key)));
    if (credentials == null) {
      return plain.toURL();
    }
    AwsCredentials identity = credentials.resolveCredentials();
    SdkHttpRequest.Builder unsigned = SdkHttpRequest.builder().method(SdkHttpMethod.GET).uri(plain);
    headers.forEach(unsigned::putHeader);
    SdkHttpRequest get = unsigned.build();
    return signer.sign(signing -> signing.identity(identity).request(get)
        .putProperty(AwsV4HttpSigner.SERVICE_SIGNING_NAME, "s3")
        .putProperty(AwsV4HttpSigner.REGION_NAME, region)
        .putProperty(AwsV4HttpSigner.AUTH_LOCATION, AuthLocation.QUERY_STRING)
        .putProperty(AwsV4HttpSigner.EXPIRATION_DURATION, VALID)
        .putProperty(AwsV4HttpSigner.PAYLOAD_SIGNING_ENABLED, false)
        // S3 takes keys as they are: a//b and a/b are two.
        .putProperty(AwsV4HttpSigner.NORMALIZE_PATH, false)
        .putProperty(AwsV4HttpSigner.DOUBLE_URL_ENCODE, false)).request().getUri().toURL();
  }

  /** Returns a name with all bytes encoded that S3 encodes before it checks a signature. */
  private static String encode(byte[] name) {
    StringBuilder encoded = new StringBuilder();
    for (byte value : name) {
      if (value >= 'a' && value <= 'z' || value >= 'A' && value <= 'Z' || value >= '-' && value <= '9' || value == '_'
          || value == '~') {
        encoded.append((char) value);
      } else {
        encoded.append('%').append(HEX.toHexDigits(value));
      }
    }
    return encoded.toString();
  }
}
