package dev.featx.source;

import java.io.IOException;

/** A source that is not of the kind that the resource says: asking again does not help. */
public final class UnsupportedSource extends IOException {
  private static final long serialVersionUID = 1L;

  public UnsupportedSource(String message) {
    super(message);
  }
}
