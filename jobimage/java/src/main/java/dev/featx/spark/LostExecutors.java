package dev.featx.spark;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import org.apache.spark.ExecutorLostFailure;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskFailedReason;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorAdded;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Records lost executors: a job that fails because of them throws an exception with neither cause nor class (DAGScheduler). */
final class LostExecutors extends SparkListener {
  private static final Logger LOG = LoggerFactory.getLogger(LostExecutors.class);
  private static final long MILLIS_FOR_EVENTS = 5_000;
  // Spark has Kubernetes' exit code only as text (ExecutorPodsLifecycleManager). It selects a hint, never the failure's class.
  private static final Pattern KILLED = Pattern.compile("\\bexited with exit code 137\\b");
  private static final int LONGEST = 300;

  private volatile String lastLost;
  private volatile boolean lostTask;

  @Override
  public void onExecutorAdded(SparkListenerExecutorAdded added) {
    LOG.info("executor {} is up", added.executorId());
  }

  @Override
  public void onExecutorRemoved(SparkListenerExecutorRemoved removed) {
    lastLost = removed.reason().strip().lines().findFirst().orElse("Spark reported no reason");
    LOG.info("executor {} exited: {}", removed.executorId(), lastLost);
  }

  @Override
  public void onTaskEnd(SparkListenerTaskEnd end) {
    if (end.reason() instanceof TaskFailedReason reason) {
      lostTask = reason instanceof ExecutorLostFailure lost && lost.exitCausedByApp();
    }
  }

  /** Returns whether the last failed task failed because its executor was lost. */
  boolean endedJob(SparkContext spark) {
    try {
      spark.listenerBus().waitUntilEmpty(MILLIS_FOR_EVENTS); // the end of the job may arrive before that of its tasks
    } catch (TimeoutException e) {
      LOG.warn("Spark's events are delayed: {}", e.toString());
    }
    return lostLastTask();
  }

  boolean lostLastTask() {
    return lostTask;
  }

  /** Returns the failure of a run that repeatedly lost executors. */
  RunProblem problem() {
    return problem(lastLost);
  }

  static RunProblem problem(String lastLost) {
    String last = lastLost == null ? "" : " (the last one: " + lastLost.substring(0, Math.min(LONGEST, lastLost.length())) + ")";
    String hint = lastLost != null && KILLED.matcher(lastLost).find() ? "; raise spec.execution.memory if it ran out of memory" : "";
    return new RunProblem(FailureClass.EXECUTOR_LOST, "executors were lost repeatedly" + last + hint);
  }
}
