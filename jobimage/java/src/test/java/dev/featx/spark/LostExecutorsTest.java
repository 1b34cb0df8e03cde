package dev.featx.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import org.junit.jupiter.api.Test;

/** A run whose executors are lost again and again says why the last one was. */
class LostExecutorsTest {
  @Test
  void theLastLossIsQuoted() {
    RunProblem problem =
        LostExecutors.problem("The executor with id 4 exited with exit code 137(SIGKILL, possible container OOM).");
    assertEquals(FailureClass.EXECUTOR_LOST, problem.failureClass());
    assertTrue(problem.getMessage().contains("exit code 137"));
    assertTrue(problem.getMessage().contains("spec.execution.memory"));
  }

  @Test
  void memoryIsBlamedForNothingElse() {
    assertFalse(LostExecutors.problem("The executor with id 137 exited with exit code 1.").getMessage().contains("memory"));
    assertEquals("executors were lost repeatedly", LostExecutors.problem(null).getMessage());
  }
}
