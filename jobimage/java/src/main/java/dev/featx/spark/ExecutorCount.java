package dev.featx.spark;

import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;
import org.apache.spark.ExecutorAllocationClient;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.scheduler.ExecutorDecommissionInfo;
import org.apache.spark.scheduler.TaskSchedulerImpl;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Option;
import scala.collection.JavaConverters;
import scala.collection.immutable.Map.Map1;
import scala.collection.immutable.Map$;

/**
 * Keeps a run's executors at a number that may change while they work, without dynamic allocation.
 *
 * <p>Spark itself starts missing executors, and withdraws pods that do not run yet. It stops none that it has, whatever their
 * number: those that are too many are decommissioned, so they take no new shard and exit after the ones that they have begun.
 */
public final class ExecutorCount {
  private static final Logger LOG = LoggerFactory.getLogger(ExecutorCount.class);
  private static final Integer PROFILE = 0; // ResourceProfile.DEFAULT_RESOURCE_PROFILE_ID

  private final ExecutorAllocationClient executors;
  private final Predicate<String> busy;
  private int count;
  private boolean changed;

  /**
   * Creates it for a Spark context that has as many executors as its settings say.
   *
   * @param spark the context, of a cluster
   * @param count the number of executors in its settings
   */
  public ExecutorCount(JavaSparkContext spark, int count) {
    this.executors = (ExecutorAllocationClient) spark.sc().schedulerBackend();
    this.busy = ((TaskSchedulerImpl) spark.sc().taskScheduler())::isExecutorBusy;
    this.count = count;
  }

  /**
   * Has so many executors from now on. To be called again and again: an executor that was about to start may come later.
   *
   * @param wanted how many
   */
  public synchronized void keep(int wanted) {
    if (wanted != count) {
      LOG.info("{} executors instead of {}", wanted, count);
      executors.requestTotalExecutors(new Map1<>(PROFILE, wanted), new Map1<>(PROFILE, 0), new Map1<>(PROFILE, Map$.MODULE$.empty()));
      count = wanted;
      changed = true;
    }
    if (changed) { // until then Spark's own number is the right one
      leaving(active(), busy, count).forEach(this::decommission);
    }
  }

  private List<String> active() {
    return JavaConverters.seqAsJavaList(executors.getExecutorIds()).stream().filter(executors::isExecutorActive).toList();
  }

  private void decommission(String executor) {
    LOG.info("executor {} stops after the shards that it has begun", executor);
    executors.decommissionExecutor(executor, new ExecutorDecommissionInfo("fewer executors are wanted", Option.empty()), false, false);
  }

  /** Returns which of the active executors are too many: first those that do nothing, then those that came last. */
  static List<String> leaving(List<String> active, Predicate<String> busy, int count) {
    Comparator<String> order = Comparator.comparing(busy::test);
    return active.stream().sorted(order.thenComparing(Comparator.comparing(Integer::valueOf, Comparator.reverseOrder())))
        .limit(Math.max(0, active.size() - count)).toList();
  }
}
