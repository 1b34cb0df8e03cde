package dev.featx.nets.bigdl;

import com.intel.analytics.bigdl.dllib.utils.Engine$;
import com.intel.analytics.bigdl.mkl.MklDnn;
import dev.featx.nets.Compilation;
import dev.featx.nets.Engine;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;

/**
 * The threads on which BigDL's graphs run, a stream each.
 *
 * <p>How many threads OpenMP takes is set in the thread that calls it. BigDL has one thread of that kind; with more, each of
 * fewer OpenMP threads, small nets need not keep all cores in step layer by layer (1.13 times the speed of res10 with a
 * thin ResNet-50 on two cores).
 */
final class BigDlThreads {
  private static BigDlThreads ofJvm;

  private final int streams;
  private final ExecutorService pool;

  private BigDlThreads(int streams, int threadsEach) {
    this.streams = streams;
    this.pool = Executors.newFixedThreadPool(streams, run -> {
      Thread thread = new Thread(() -> {
        MklDnn.setNumThreads(threadsEach);
        run.run();
      }, "bigdl-stream");
      thread.setDaemon(true);
      return thread;
    });
  }

  /**
   * Returns the threads of this JVM; on cores and streams its first net decides.
   *
   * <p>Needs no Spark context and no knowledge of the cluster's size. The number of cores that BigDL is told does not decide
   * on OpenMP's threads, the property does; without it BigDL takes all cores of the machine, whatever the executor has.
   */
  static synchronized BigDlThreads of(Compilation how) {
    if (ofJvm == null) {
      int threadsEach = Math.max(1, how.cores() / how.streams());
      System.setProperty("bigdl.engineType", "mkldnn");
      System.setProperty("bigdl.mklNumThreads", Integer.toString(threadsEach));
      if (System.getProperty("bigdl.disableOmpAffinity") == null) {
        // Two executors on a node would otherwise be pinned to the same cores.
        System.setProperty("bigdl.disableOmpAffinity", "true");
      }
      Fusion.turnOffBigDls();
      Engine$.MODULE$.setNodeAndCore(1, how.cores());
      ofJvm = new BigDlThreads(how.streams(), threadsEach);
    }
    return ofJvm;
  }

  int streams() {
    return streams;
  }

  /** Returns what work on one of the threads returns. */
  <T> T on(Supplier<T> work) {
    try {
      return pool.submit(work::get).get();
    } catch (ExecutionException e) {
      // BigDL's are checked exceptions that no signature tells of; the first line has the reason.
      Throwable cause = e.getCause();
      String message = cause.getMessage() == null ? cause.toString() : cause.getMessage();
      throw new IllegalStateException("BigDL: " + message.lines().findFirst().orElse(cause.toString()), cause);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("the task was ended", e);
    }
  }
}
