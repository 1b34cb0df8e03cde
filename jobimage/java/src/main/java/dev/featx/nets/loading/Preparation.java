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
 * Gets an engine ready before there is a net for it.
 *
 * <p>The first net of a JVM, however small, takes seconds: libraries are unpacked, BigDL looks its layers up by reflection,
 * kernels are compiled. They pass while Spark starts and the nets of the run are on their way.
 */
public final class Preparation {
  private static final Logger LOG = LoggerFactory.getLogger(Preparation.class);
  private static volatile Future<?> begun = CompletableFuture.completedFuture(null);

  private Preparation() {}

  /**
   * Begins.
   *
   * @param told engine, cores, streams and a small network file, with commas between
   */
  public static void begin(String told) {
    String[] parts = told.split(",", 4);
    Compilation how = Compilation.of(parts[0], "f32", 1, Integer.parseInt(parts[1]), Integer.parseInt(parts[2]));
    FutureTask<Void> task = new FutureTask<>(() -> run(Path.of(parts[3]), how), null);
    begun = task;
    Thread thread = new Thread(task, "preparation");
    thread.setDaemon(true);
    thread.start();
  }

  private static void run(Path net, Compilation how) {
    long started = System.nanoTime();
    try (CompiledNetwork network = Engines.compile(NetworkFile.read(net), how)) {
      network.forward(new float[network.inputSize()], 1);
    } catch (IOException | RuntimeException e) {
      LOG.warn("the engine was not made ready before its first net", e);
    }
    LOG.info("{} is ready for its first net, after {} ms", how.engine(), (System.nanoTime() - started) / 1_000_000);
  }

  /** Waits for the end of what was begun: two at a time would do the same twice. */
  static void end() {
    try {
      begun.get();
    } catch (ExecutionException e) {
      LOG.warn("the engine was not made ready before its first net", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("the task was ended", e);
    }
  }
}
