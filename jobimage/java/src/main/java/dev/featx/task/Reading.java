package dev.featx.task;

import dev.featx.failure.RunProblem;
import dev.featx.source.Image;
import dev.featx.source.Images;
import dev.featx.source.Shard;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;

/** Reads a shard's images as {@link ShardTask} does, but without nets, to measure a source's throughput. */
public final class Reading {
  private Reading() {}

  /** Reads a shard; the result has no duration. */
  public static ReadResult of(TaskSettings settings, Shard shard, Configuration conf) throws IOException, InterruptedException {
    ExecutorService pool = Executors.newFixedThreadPool(Math.max(2, settings.compilation().cores()));
    Deque<Future<byte[]>> window = new ArrayDeque<>();
    ReadResult result = ReadResult.NONE;
    try (Images images = shard.part().open(settings.source(), conf)) {
      for (Image image = images.next(); image != null; image = images.next()) {
        window.add(pool.submit(image.content()::bytes));
        if (window.size() == 2 * settings.compilation().batch()) {
          result = result.plus(read(window.remove()));
        }
      }
      while (!window.isEmpty()) {
        result = result.plus(read(window.remove()));
      }
    } finally {
      pool.shutdownNow();
    }
    return result;
  }

  private static ReadResult read(Future<byte[]> content) throws IOException, InterruptedException {
    try {
      return new ReadResult(1, content.get().length, 0, 0);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException cause) {
        throw cause;
      }
      if (e.getCause() instanceof RunProblem problem) {
        throw problem;
      }
      return new ReadResult(0, 0, 1, 0);
    }
  }
}
