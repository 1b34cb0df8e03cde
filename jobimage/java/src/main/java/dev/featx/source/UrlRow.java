package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;

/** A row of a table whose image is fetched from the web, and the requests for it so far. */
final class UrlRow {
  private static final int MOST_TRIES = 4;
  private static final int MOST_REDIRECTS = 5;
  private static final long FIRST_PAUSE_MILLIS = 1_000;

  private final Image row;
  private ImageUrl url;
  private UrlHostState host;
  private long room;
  private long firstRequest = -1;
  private long notBefore = Long.MIN_VALUE;
  private int tries;
  private int redirects;
  private String cause = "has many requests already";

  /**
   * Creates a row that was not requested yet.
   *
   * @param row its content is its URL
   * @param url of its image
   * @param room bytes to reserve for a response
   */
  UrlRow(Image row, ImageUrl url, long room) {
    this.row = row;
    this.url = url;
    this.host = UrlHostState.of(url);
    this.room = room;
  }

  Image row() {
    return row;
  }

  ImageUrl url() {
    return url;
  }

  UrlHostState host() {
    return host;
  }

  /** Returns the bytes that are reserved while it is requested. */
  long room() {
    return room;
  }

  void reserve(long bytes) {
    room = bytes;
  }

  /** Returns the time before which there should be no request. */
  long notBefore() {
    return notBefore;
  }

  /** Returns why it waits, for messages. */
  String cause() {
    return cause;
  }

  void begin(long now) {
    firstRequest = firstRequest < 0 ? now : firstRequest;
  }

  /**
   * Takes the result of a request.
   *
   * @param now in milliseconds
   * @param patienceMillis how long a busy host is waited for
   * @return why there is no image and will be none; null if there is one, or will be another request
   */
  ImageProblem after(UrlResult result, long now, long patienceMillis) {
    if (result instanceof UrlResult.Busy busy) {
      return afterBusy(busy, now, patienceMillis);
    }
    if (result instanceof UrlResult.Retry retry) {
      return afterFailure(retry, now);
    }
    host.responded(now);
    if (result instanceof UrlResult.NoRoom larger) {
      room = larger.bytes();
    }
    if (result instanceof UrlResult.Redirect redirect) {
      if (++redirects > MOST_REDIRECTS) {
        return url.refused("redirects more than " + MOST_REDIRECTS + " times");
      }
      url = redirect.target();
      host = UrlHostState.of(url);
    }
    return result instanceof UrlResult.Failed failed ? failed.problem() : null;
  }

  private ImageProblem afterBusy(UrlResult.Busy busy, long now, long patienceMillis) {
    host.pause(now, busy.pauseMillis());
    cause = "responded with status " + busy.status();
    if (now - firstRequest < patienceMillis) {
      return null;
    }
    host.giveUp(now);
    return url.problem(QuarantineReason.UNREADABLE, cause + " for " + patienceMillis / 1000 + " s");
  }

  private ImageProblem afterFailure(UrlResult.Retry retry, long now) {
    if (retry.answered()) {
      host.responded(now);
    } else {
      host.failed(now, url);
    }
    cause = retry.cause();
    notBefore = now + (FIRST_PAUSE_MILLIS << tries);
    return ++tries < MOST_TRIES ? null : url.problem(QuarantineReason.UNREADABLE, cause + "; requested " + MOST_TRIES + " times");
  }
}
