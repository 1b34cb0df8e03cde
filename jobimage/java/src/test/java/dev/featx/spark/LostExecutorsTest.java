package dev.featx.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.util.List;
import org.apache.spark.ExceptionFailure;
import org.apache.spark.ExecutorLostFailure;
import org.apache.spark.Success$;
import org.apache.spark.TaskEndReason;
import org.apache.spark.TaskFailedReason;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.junit.jupiter.api.Test;
import scala.Option;

/** A run that repeatedly loses executors reports the last loss. */
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
  void theLastFailedTaskDeterminesTheReason() {
    LostExecutors lost = new LostExecutors();
    TaskFailedReason loss = new ExecutorLostFailure("4", true, Option.apply("exited"));
    TaskFailedReason exit = new ExecutorLostFailure("4", false, Option.apply("the node was drained"));
    for (TaskFailedReason last : List.of(exit, new ExceptionFailure("executor exited", "", null, "", Option.empty(), null, null, null))) {
      lost.onTaskEnd(ended(loss));
      assertTrue(lost.lostLastTask());
      lost.onTaskEnd(ended(Success$.MODULE$));
      assertTrue(lost.lostLastTask());
      lost.onTaskEnd(ended(last));
      assertFalse(lost.lostLastTask());
    }
  }

  private static SparkListenerTaskEnd ended(TaskEndReason reason) {
    return new SparkListenerTaskEnd(0, 0, "ResultTask", reason, null, null, null);
  }

  @Test
  void memoryIsSuggestedOnlyForItsExitCode() {
    assertFalse(LostExecutors.problem("The executor with id 137 exited with exit code 1.").getMessage().contains("memory"));
    assertEquals("executors were lost repeatedly", LostExecutors.problem(null).getMessage());
  }
}
