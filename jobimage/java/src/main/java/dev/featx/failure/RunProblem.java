package dev.featx.failure;

import java.io.ObjectStreamException;

/**
 * Why a run, or this attempt of it, cannot continue: a class for programs and a line for people.
 *
 * <p>Unchecked, so that it passes through the lambdas, credential providers and native callbacks in which problems are
 * noticed, and past whatever waits for a store: that retries {@link java.io.IOException}, and a judgement is final.
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
   * @param failureClass what kind of failure it is
   * @param message for people: the field or thing, its value, and how to fix it
   * @param cause for the log of the process that noticed it, or null
   */
  public RunProblem(FailureClass failureClass, String message, Throwable cause) {
    super(message, cause);
    this.failureClass = failureClass;
  }

  /** Returns what kind of failure it is. */
  public FailureClass failureClass() {
    return failureClass;
  }

  /** Leaves the cause behind when it travels to the driver, which may not be able to deserialize that. */
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
