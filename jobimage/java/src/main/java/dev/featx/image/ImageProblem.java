package dev.featx.image;

import dev.featx.failure.QuarantineReason;

/** The reason why one image can't be processed: it becomes a row of the quarantine and never fails the run. */
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
   * @param stage in which it occurred
   * @param reason machine-readable
   * @param message human-readable: the value, and the setting to change, if any
   */
  public ImageProblem(Stage stage, QuarantineReason reason, String message) {
    super(message, null, false, false);
    this.stage = stage;
    this.reason = reason;
  }

  /** Returns the problem of an image that exceeds the size limit. */
  public static ImageProblem tooLarge(long bytes, long limit) {
    return new ImageProblem(Stage.READ, QuarantineReason.TOO_LARGE, "image is " + bytes + " bytes, limit " + limit
        + "; raise spec.limits.mebibytes, and spec.execution.memory with it");
  }

  /** Returns the stage in which the problem occurred. */
  public Stage stage() {
    return stage;
  }

  /** Returns the machine-readable reason. */
  public QuarantineReason reason() {
    return reason;
  }
}
