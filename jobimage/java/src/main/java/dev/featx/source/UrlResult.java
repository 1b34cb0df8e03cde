package dev.featx.source;

import dev.featx.image.ImageProblem;

/** The outcome of one request for the image at a URL. */
sealed interface UrlResult {
  /** The image. */
  record Bytes(byte[] bytes) implements UrlResult {}

  /** The image cannot be had. */
  record Failed(ImageProblem problem) implements UrlResult {}

  /** The image is said to be elsewhere. */
  record Redirect(ImageUrl target) implements UrlResult {}

  /** The image is larger than the room that was reserved for it. */
  record NoRoom(long bytes) implements UrlResult {}

  /**
   * The request failed and may be repeated.
   *
   * @param cause for messages
   * @param answered whether the host responded to it
   */
  record Retry(String cause, boolean answered) implements UrlResult {}

  /**
   * The host wants fewer requests.
   *
   * @param status of the response
   * @param pauseMillis as the host wishes it; 0 if it does not say
   */
  record Busy(int status, long pauseMillis) implements UrlResult {}
}
