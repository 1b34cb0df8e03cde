package dev.featx.failure;

import java.io.IOException;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A response of an S3 store that holds no object: its status and, if there is one, S3's error code, but none of its text. */
public final class StoreResponse extends IOException {
  private static final long serialVersionUID = 1L;

  // The response has the key too, with its angle brackets escaped.
  private static final Pattern CODE = Pattern.compile("<Code>([A-Za-z0-9.]{1,64})</Code>");
  private static final Set<Integer> FORBIDDEN = Set.of(401, 403);
  private static final Set<Integer> BUSY_STATUSES = Set.of(408, 429, 503);
  private static final Set<String> BUSY = Set.of("OperationAborted", "RequestTimeout", "SlowDown", "TooManyRequests");
  private static final int CHANGED = 412; // of a request with If-Match
  private static final int MOVED = 301; // the bucket is in another region; other redirects may pass

  private final int status;
  private final String code;

  private StoreResponse(int status, String code, String object) {
    super("the store responded with " + described(status, code) + " for " + object);
    this.status = status;
    this.code = code;
  }

  /**
   * Reads a response.
   *
   * @param status its HTTP status
   * @param body the start of its body, as XML unless it is not a store's
   * @param object the object's address, without a signature
   */
  public static StoreResponse of(int status, String body, String object) {
    Matcher code = CODE.matcher(body);
    return new StoreResponse(status, code.find() ? code.group(1) : null, object);
  }

  /** Returns the status, and the code if there is one. */
  public String described() {
    return described(status, code);
  }

  private static String described(int status, String code) {
    return "status " + status + (code == null ? "" : " " + code);
  }

  /** Returns S3's error code, or an empty string. */
  public String code() {
    return code == null ? "" : code;
  }

  /** Returns whether the store refuses the request, so that repeating it is pointless. */
  boolean isRefusal() {
    return !isBusy() && (status == MOVED || status >= 400 && status < 500);
  }

  /** Returns whether the store failed on the request, which may be due to the object. */
  boolean isFault() {
    return !isBusy() && (status >= 500 || status >= 300 && status < 400 && status != MOVED);
  }

  /** Returns whether the object no longer has the version that the request named. */
  boolean isOfAnotherVersion() {
    return status == CHANGED;
  }

  /** Returns whether access is denied. */
  boolean isDenial() {
    return isRefusal() && (FORBIDDEN.contains(status) || Failures.REFUSALS.contains(code()));
  }

  /** Returns whether the bucket does not exist. */
  boolean lacksBucket() {
    return code().equals("NoSuchBucket");
  }

  private boolean isBusy() {
    return BUSY_STATUSES.contains(status) || BUSY.contains(code());
  }
}
