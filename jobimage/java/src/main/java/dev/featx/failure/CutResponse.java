package dev.featx.failure;

import java.io.IOException;

/** A store's response that ends, or stalls, before the object does. */
public final class CutResponse extends IOException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param received bytes that came
   * @param size bytes that the store announced; negative if it did not
   * @param cause what the connection reported, or null
   */
  public CutResponse(long received, long size, IOException cause) {
    super("the response ended after " + received + (size < 0 ? " bytes" : " of " + size + " bytes"), cause);
  }
}
