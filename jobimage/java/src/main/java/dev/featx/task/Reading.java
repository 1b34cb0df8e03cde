package dev.featx.task;

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

/** Reads a shard's images as {@link ShardTask} does, and nothing else: how fast a source is without nets. */
public final class Reading {
  private Reading() {}

  /** Returns how many images were read, their bytes, and how many could not be read. */
  public static long[] of(TaskSettings settings, Shard shard, Configuration conf) throws IOException, InterruptedException {
    ExecutorService pool = Executors.newFixedThreadPool(Math.max(2, settings.compilation().cores()));
    Deque<Future<byte[]>> window = new ArrayDeque<>();
    long[] found = new long[3];
    try (Images images = shard.part().open(settings.source(), conf)) {
      for (Image image = images.next(); image != null; image = images.next()) {
        window.add(pool.submit(image.content()::bytes));
        if (window.size() == 2 * settings.compilation().batch()) {
          count(window.remove(), found);
        }
      }
      while (!window.isEmpty()) {
        count(window.remove(), found);
      }
    } finally {
      pool.shutdownNow();
    }
    return found;
  }

  private static void count(Future<byte[]> read, long[] found) throws IOException, InterruptedException {
    try {
      found[1] += read.get().length;
      found[0]++;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException cause) {
        throw cause;
      }
      found[2]++;
    }
  }
}
