package dev.featx.security;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Map;

/** The key that a bucket's objects are encrypted with (SSE-C), read from the mounted Secret: the store does not have it. */
final class CustomerKey {
  /** Setting of a bucket: whether its objects are encrypted. */
  static final String SETTING = "featx.sse.customer.key";

  private static final String NAME = "SSE_CUSTOMER_KEY";
  private static final String PREFIX = "x-amz-server-side-encryption-customer-";
  private static final int BYTES = 32;

  private final byte[] key;

  private CustomerKey(byte[] key) {
    this.key = key;
  }

  /**
   * Reads a key.
   *
   * @param folder of the mounted Secret; null if environment variables hold the values
   * @throws RunProblem SecretIncomplete
   */
  static CustomerKey of(String folder) {
    String text;
    try {
      text = folder == null ? System.getenv(NAME) : Files.readString(Path.of(folder, NAME));
    } catch (IOException e) {
      text = null;
    }
    byte[] key = {};
    try {
      key = text == null ? key : Base64.getDecoder().decode(text.strip());
    } catch (IllegalArgumentException e) {
      // Reported below without the text.
    }
    if (key.length != BYTES) {
      String place = folder == null ? "the environment" : "Secret " + Path.of(folder).getFileName();
      throw new RunProblem(FailureClass.SECRET_INCOMPLETE, place + " must have " + NAME + ", base64 of " + BYTES + " bytes");
    }
    return new CustomerKey(key);
  }

  /** Returns the headers of requests for the objects. */
  Map<String, String> headers() {
    try {
      byte[] digest = MessageDigest.getInstance("MD5").digest(key);
      return Map.of(PREFIX + "algorithm", "AES256", PREFIX + "key", Base64.getEncoder().encodeToString(key), PREFIX + "key-md5",
          Base64.getEncoder().encodeToString(digest));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
