package dev.featx.pipeline;

import java.io.IOException;

/** A source that is not of the kind that the resource says: asking again does not help. */
final class UnsupportedSource extends IOException {
  private static final long serialVersionUID = 1L;

  UnsupportedSource(String message) {
    super(message);
  }
}
