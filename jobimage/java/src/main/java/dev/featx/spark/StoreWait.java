package dev.featx.spark;

import dev.featx.source.Patience;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.util.AccumulatorV2;
import scala.Tuple4;
import scala.collection.JavaConverters;

/**
 * Describes what a task is waiting for; the executor's heartbeats report it to the driver during the wait.
 *
 * <p>Spark reports only accumulators that are not zero (Executor.reportHeartBeat), so a missing one means that its task has
 * resumed.
 */
final class StoreWait extends AccumulatorV2<String, String> implements Patience.Observer {
  static final String NAME = "featx.waiting";
  private static final long serialVersionUID = 1L;

  private volatile String description = "";

  @Override
  public void waitingFor(String what) {
    description = what;
  }

  @Override
  public boolean isZero() {
    return description.isEmpty();
  }

  @Override
  public AccumulatorV2<String, String> copy() {
    StoreWait copy = new StoreWait();
    copy.description = description;
    return copy;
  }

  @Override
  public void reset() {
    description = "";
  }

  @Override
  public void add(String what) {
    description = what;
  }

  @Override
  public void merge(AccumulatorV2<String, String> other) {
    // The other task has ended, so it no longer waits.
  }

  @Override
  public String value() {
    return description;
  }

  /** Collects the tasks' descriptions on the driver. */
  static final class Listener extends SparkListener {
    private final Map<Long, String> byTask = new ConcurrentHashMap<>();

    /** Returns the description of one waiting task, or null. */
    String first() {
      return byTask.values().stream().sorted().findFirst().orElse(null);
    }

    @Override
    public void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate update) {
      JavaConverters.seqAsJavaListConverter(update.accumUpdates()).asJava().forEach(this::update);
    }

    private void update(Tuple4<Object, Object, Object, scala.collection.Seq<AccumulableInfo>> task) {
      byTask.remove((Long) task._1());
      for (AccumulableInfo info : JavaConverters.seqAsJavaListConverter(task._4()).asJava()) {
        if (info.name().contains(NAME) && info.update().isDefined()) {
          byTask.put((Long) task._1(), info.update().get().toString());
        }
      }
    }

    @Override
    public void onTaskEnd(SparkListenerTaskEnd end) {
      byTask.remove(end.taskInfo().taskId());
    }
  }
}
