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

/** Remembers executors that were lost: a job that fails for it gets an exception with neither cause nor class (DAGScheduler). */
final class LostExecutors extends SparkListener {
  private static final Logger LOG = LoggerFactory.getLogger(Job.class);
  private static final long MILLIS_FOR_EVENTS = 5_000;
  // Kubernetes' exit code is known to Spark as text only (ExecutorPodsLifecycleManager). It decides on a hint, not on the class.
  private static final Pattern KILLED = Pattern.compile("\\bexited with exit code 137\\b");
  private static final int LONGEST = 300;

  private volatile String lastLost;
  private volatile boolean tookTask;

  @Override
  public void onExecutorAdded(SparkListenerExecutorAdded added) {
    LOG.info("executor {} is up", added.executorId());
  }

  @Override
  public void onExecutorRemoved(SparkListenerExecutorRemoved removed) {
    lastLost = removed.reason().strip().lines().findFirst().orElse("no reason known to Spark");
    LOG.info("executor {} has ended: {}", removed.executorId(), lastLost);
  }

  @Override
  public void onTaskEnd(SparkListenerTaskEnd end) {
    if (end.reason() instanceof TaskFailedReason reason) {
      tookTask = reason instanceof ExecutorLostFailure lost && lost.exitCausedByApp();
    }
  }

  /** Returns whether the last task that failed did so because its executor was lost. */
  boolean endedJob(SparkContext spark) {
    try {
      spark.listenerBus().waitUntilEmpty(MILLIS_FOR_EVENTS); // the job's end overtakes its tasks'
    } catch (TimeoutException e) {
      LOG.warn("Spark's events are late: {}", e.toString());
    }
    return tookLastTask();
  }

  boolean tookLastTask() {
    return tookTask;
  }

  /** Returns why a run fails for which executors were lost again and again. */
  RunProblem problem() {
    return problem(lastLost);
  }

  static RunProblem problem(String lastLost) {
    String last = lastLost == null ? "" : " (the last one: " + lastLost.substring(0, Math.min(LONGEST, lastLost.length())) + ")";
    String hint = lastLost != null && KILLED.matcher(lastLost).find() ? "; raise spec.execution.memory if it ran out of memory" : "";
    return new RunProblem(FailureClass.EXECUTOR_LOST, "executors were lost repeatedly" + last + hint);
  }
}
