package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Calls to an unresponsive store are retried; refusals fail immediately. */
class PatienceTest {
  private static final String WHAT = "reading s3a://b/docs/AccessDenied.jpg";

  private final AtomicInteger calls = new AtomicInteger();

  private RunProblem problem(long seconds, Exception thrown) {
    return assertThrows(RunProblem.class, () -> new Patience(seconds, what -> {}).withRetry(WHAT, () -> {
      calls.incrementAndGet();
      if (thrown instanceof IOException refusal) {
        throw refusal;
      }
      throw (RuntimeException) thrown;
    }));
  }

  @Test
  void anUnresponsiveStoreIsUnreachableWhateverTheObjectsName() {
    RunProblem problem = problem(1, new IOException("no answer"));
    assertEquals(FailureClass.STORE_UNREACHABLE, problem.failureClass());
    assertTrue(problem.getMessage().startsWith(WHAT + " failed for 1 s: "));
    assertEquals(2, calls.get());
  }

  @Test
  void pausesGrow() {
    problem(2, new IOException("no answer"));
    assertEquals(3, calls.get()); // after 0, 0.5 and 1.5 s; the next would be after 3.5 s
  }

  @Test
  void aDiskThatStaysFullIsNotAnUnreachableStore() {
    assertEquals(FailureClass.OUTPUT_FULL, problem(0, new IOException("No space left on device")).failureClass());
  }

  @Test
  void aRefusalIsNotRetried() {
    assertEquals(FailureClass.ACCESS_DENIED, problem(60, new AccessDeniedException("s3://b/a")).failureClass());
    assertEquals(1, calls.get());
  }

  @Test
  void aRunProblemIsNotRetried() {
    RunProblem thrown = new RunProblem(FailureClass.SECRET_INCOMPLETE, "Secret a has no key b");
    assertEquals(thrown, problem(60, thrown));
    assertEquals(1, calls.get());
  }

  @Test
  void aMissingFileIsLeftToTheCaller() {
    assertThrows(FileNotFoundException.class, () -> new Patience(60, what -> {}).withRetry(WHAT, () -> {
      throw new FileNotFoundException("gone");
    }));
  }
}
