package dev.featx.source;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * What an executor knows of a host that images are fetched from, shared by all its shards: how many requests it has, and
 * whether it responds.
 *
 * <p>A host that does not respond must hold up neither a run nor the rows of other hosts: if several URLs had no response, and
 * no other has had one for a minute, its rows fail at once, and only one request a minute finds out whether it is back. A few
 * URLs that never respond, on a host that serves others, are only their own rows' problem.
 */
final class UrlHostState {
  /** Most requests of an executor that a host has at the same time. */
  static final int AT_ONCE = 4;
  /** Longest pause that a host's response may impose. */
  static final long LONGEST_PAUSE_MILLIS = 120_000;

  private static final int MOST_HOSTS = 10_000;
  private static final int MOST_SILENT = 4; // URLs in sequence, until a host counts as down
  private static final long DOWN_MILLIS = 60_000; // also how long it must have been silent
  private static final long FIRST_PAUSE_MILLIS = 1_000;
  private static final int MOST_DOUBLINGS = 6;

  /** Whether a request may begin. */
  enum Admission {
    BEGUN,
    LATER,
    DOWN
  }

  private static final Map<String, UrlHostState> HOSTS = new LinkedHashMap<>(16, 0.75f, true) {
    private static final long serialVersionUID = 1L;

    @Override
    protected boolean removeEldestEntry(Map.Entry<String, UrlHostState> eldest) {
      return size() > MOST_HOSTS && eldest.getValue().isIdle();
    }
  };

  private int active;
  private final Set<ImageUrl> silent = new HashSet<>(); // in sequence, without any response
  private long lastResponse = Long.MIN_VALUE / 2;
  private int busy; // responses in sequence
  private long pausedUntil;
  private long downUntil;

  /** Returns the state of a host. */
  static UrlHostState of(ImageUrl url) {
    synchronized (HOSTS) {
      return HOSTS.computeIfAbsent(url.authority(), host -> new UrlHostState());
    }
  }

  private synchronized boolean isIdle() {
    return active == 0;
  }

  /** Begins a request, if the host may have another one now. */
  synchronized Admission begin(long now) {
    if (now < downUntil) {
      return Admission.DOWN;
    }
    if (now < pausedUntil || active >= (downUntil > 0 ? 1 : AT_ONCE)) {
      return Admission.LATER;
    }
    active++;
    return Admission.BEGUN;
  }

  /** Ends a request that the host has responded to in some way. */
  synchronized void responded(long now) {
    answered(now);
    busy = 0;
  }

  private void answered(long now) {
    active--;
    silent.clear();
    lastResponse = now;
    downUntil = 0;
  }

  /** Ends a request that the host has not responded to. */
  synchronized void failed(long now, ImageUrl url) {
    active--;
    if (silent.size() < MOST_SILENT) {
      silent.add(url);
    }
    if (silent.size() == MOST_SILENT && now - lastResponse >= DOWN_MILLIS) {
      downUntil = now + DOWN_MILLIS;
    }
  }

  /** Ends a request that the host was too busy for, and leaves it alone for as long as it wants, or longer each time. */
  synchronized void pause(long now, long millis) {
    answered(now);
    long own = FIRST_PAUSE_MILLIS << Math.min(busy++, MOST_DOUBLINGS);
    pausedUntil = Math.max(pausedUntil, now + Math.min(millis > 0 ? millis : own, LONGEST_PAUSE_MILLIS));
  }

  /** Ends a request that never reached the host. */
  synchronized void withdrawn() {
    active--;
  }

  /** Stops requests for a while: the host has been busy for longer than anybody waits. */
  synchronized void giveUp(long now) {
    downUntil = now + DOWN_MILLIS;
  }
}
