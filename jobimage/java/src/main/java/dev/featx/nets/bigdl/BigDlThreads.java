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
 * The threads that run BigDL's graphs, one per stream.
 *
 * <p>The calling thread sets the number of OpenMP threads. BigDL has a single such thread; with several, each with fewer
 * OpenMP threads, small nets need not synchronize all cores after every layer (1.13 times the speed of res10 with a thin
 * ResNet-50 on two cores).
 */
final class BigDlThreads {
  private static BigDlThreads ofJvm;

  private final int streams;
  private final ExecutorService pool;

  private BigDlThreads(int streams, int threadsPerStream) {
    this.streams = streams;
    this.pool = Executors.newFixedThreadPool(streams, run -> {
      Thread thread = new Thread(() -> {
        MklDnn.setNumThreads(threadsPerStream);
        run.run();
      }, "bigdl-stream");
      thread.setDaemon(true);
      return thread;
    });
  }

  /**
   * Returns the threads of this JVM; its first net determines cores and streams.
   *
   * <p>Requires neither a Spark context nor the size of the cluster. A property sets the number of OpenMP threads, not the
   * cores passed to BigDL; without it BigDL uses all cores of the machine, whatever the executor's share.
   */
  static synchronized BigDlThreads of(Compilation compilation) {
    if (ofJvm == null) {
      int threadsPerStream = Math.max(1, compilation.cores() / compilation.streams());
      System.setProperty("bigdl.engineType", "mkldnn");
      System.setProperty("bigdl.mklNumThreads", Integer.toString(threadsPerStream));
      if (System.getProperty("bigdl.disableOmpAffinity") == null) {
        // Otherwise two executors on a node would be pinned to the same cores.
        System.setProperty("bigdl.disableOmpAffinity", "true");
      }
      Fusion.disableBigDlFusion();
      Engine$.MODULE$.setNodeAndCore(1, compilation.cores());
      ofJvm = new BigDlThreads(compilation.streams(), threadsPerStream);
    }
    return ofJvm;
  }

  int streams() {
    return streams;
  }

  /** Runs work on one of the threads and returns its result. */
  <T> T on(Supplier<T> work) {
    try {
      return pool.submit(work::get).get();
    } catch (ExecutionException e) {
      // BigDL throws undeclared checked exceptions, with the reason in the first line.
      Throwable cause = e.getCause();
      String message = cause.getMessage() == null ? cause.toString() : cause.getMessage();
      throw new IllegalStateException("BigDL: " + message.lines().findFirst().orElse(cause.toString()), cause);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("the task was interrupted", e);
    }
  }
}
