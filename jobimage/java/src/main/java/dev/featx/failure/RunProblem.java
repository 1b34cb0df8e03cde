package dev.featx.failure;

import java.io.ObjectStreamException;

/**
 * The reason why a run or an attempt cannot continue: a machine-readable class and a human-readable line.
 *
 * <p>Unchecked, so that it passes through the lambdas, credential providers and native callbacks in which problems are
 * detected, and through retries for a store: those handle {@link java.io.IOException}, while a RunProblem is final.
 */
public final class RunProblem extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final FailureClass failureClass;

  /** Creates a problem without a cause. */
  public RunProblem(FailureClass failureClass, String message) {
    this(failureClass, message, null);
  }

  /**
   * Creates a problem.
   *
   * @param failureClass class of the failure
   * @param message human-readable: the field or object, its value, and how to fix it
   * @param cause for the log of the process that detected it, or null
   */
  public RunProblem(FailureClass failureClass, String message, Throwable cause) {
    super(message, cause);
    this.failureClass = failureClass;
  }

  /** Returns the class of the failure. */
  public FailureClass failureClass() {
    return failureClass;
  }

  /** Drops the cause when serialized for the driver, which may be unable to deserialize it. */
  private Object writeReplace() throws ObjectStreamException {
    if (getCause() == null) {
      return this;
    }
    RunProblem bare = new RunProblem(failureClass, getMessage());
    bare.setStackTrace(getStackTrace());
    return bare;
  }

  @Override
  public String toString() {
    return failureClass.label() + ": " + getMessage();
  }
}
