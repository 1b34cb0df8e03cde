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
 * What a task waits for, in words; it reaches the driver with the executor's heartbeats, while the task waits.
 *
 * <p>Spark hands on accumulators that are not zero (Executor.reportHeartBeat), so one that is missing says that its task
 * goes on.
 */
final class StoreWait extends AccumulatorV2<String, String> implements Patience.Observer {
  static final String NAME = "featx.waiting";
  private static final long serialVersionUID = 1L;

  private volatile String words = "";

  @Override
  public void waitsFor(String what) {
    words = what;
  }

  @Override
  public boolean isZero() {
    return words.isEmpty();
  }

  @Override
  public AccumulatorV2<String, String> copy() {
    StoreWait copy = new StoreWait();
    copy.words = words;
    return copy;
  }

  @Override
  public void reset() {
    words = "";
  }

  @Override
  public void add(String what) {
    words = what;
  }

  @Override
  public void merge(AccumulatorV2<String, String> other) {
    // Of a task that has ended: it no longer waits.
  }

  @Override
  public String value() {
    return words;
  }

  /** Keeps what tasks say on the driver. */
  static final class Listener extends SparkListener {
    private final Map<Long, String> byTask = new ConcurrentHashMap<>();

    /** Returns what one of the tasks waits for, or null. */
    String first() {
      return byTask.values().stream().sorted().findFirst().orElse(null);
    }

    @Override
    public void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate update) {
      JavaConverters.seqAsJavaListConverter(update.accumUpdates()).asJava().forEach(this::take);
    }

    private void take(Tuple4<Object, Object, Object, scala.collection.Seq<AccumulableInfo>> task) {
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
