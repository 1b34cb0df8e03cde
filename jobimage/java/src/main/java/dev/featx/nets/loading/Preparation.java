package dev.featx.nets.loading;

import dev.featx.nets.Compilation;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.NetworkFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Warms up an engine before the first net arrives.
 *
 * <p>The first net of a JVM, however small, takes seconds: libraries are unpacked, BigDL looks up its layers by reflection,
 * kernels are compiled. The warm-up overlaps with Spark's start and the transfer of the run's nets.
 */
public final class Preparation {
  private static final Logger LOG = LoggerFactory.getLogger(Preparation.class);
  private static volatile Future<?> pending = CompletableFuture.completedFuture(null);

  private Preparation() {}

  /**
   * Starts the warm-up in a separate thread.
   *
   * @param argument engine, cores, streams and a small network file, separated by commas
   */
  public static void begin(String argument) {
    String[] parts = argument.split(",", 4);
    Compilation compilation = Compilation.of(parts[0], "f32", 1, Integer.parseInt(parts[1]), Integer.parseInt(parts[2]));
    FutureTask<Void> task = new FutureTask<>(() -> run(Path.of(parts[3]), compilation), null);
    pending = task;
    Thread thread = new Thread(task, "preparation");
    thread.setDaemon(true);
    thread.start();
  }

  private static void run(Path net, Compilation compilation) {
    long started = System.nanoTime();
    try (CompiledNetwork network = Engines.compile(NetworkFile.read(net), compilation)) {
      network.forward(new float[network.inputSize()], 1);
    } catch (IOException | RuntimeException e) {
      LOG.warn("the engine could not be warmed up", e);
    }
    LOG.info("warmed up {} in {} ms", compilation.engine(), (System.nanoTime() - started) / 1_000_000);
  }

  /** Waits for the warm-up to finish: a concurrent net would repeat its work. */
  static void await() {
    try {
      pending.get();
    } catch (ExecutionException e) {
      LOG.warn("the engine could not be warmed up", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("the task was interrupted", e);
    }
  }
}
