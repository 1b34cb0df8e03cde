package dev.featx.image;

import dev.featx.failure.QuarantineReason;

/** Why one image can't be processed: a row of the quarantine, never the end of a run. */
public final class ImageProblem extends Exception {
  private static final long serialVersionUID = 1L;

  /** Where in the pipeline an image failed. */
  public enum Stage {
    READ,
    DECODE,
    DETECT,
    EXTRACT
  }

  private final Stage stage;
  private final QuarantineReason reason;

  /**
   * Creates a problem.
   *
   * @param stage where it was met
   * @param reason for programs
   * @param message for people: the value, and the setting that would help if there is one
   */
  public ImageProblem(Stage stage, QuarantineReason reason, String message) {
    super(message, null, false, false);
    this.stage = stage;
    this.reason = reason;
  }

  /** Returns the problem of an image that has more bytes than are allowed. */
  public static ImageProblem tooLarge(long bytes, long limit) {
    return new ImageProblem(Stage.READ, QuarantineReason.TOO_LARGE, "image is " + bytes + " bytes, limit " + limit
        + "; raise spec.limits.mebibytes, and spec.execution.memory with it");
  }

  /** Returns where the problem was met. */
  public Stage stage() {
    return stage;
  }

  /** Returns the reason, for programs. */
  public QuarantineReason reason() {
    return reason;
  }
}
