package dev.featx.source;

import com.fasterxml.jackson.annotation.JacksonInject;
import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import dev.featx.failure.FailureClass;
import dev.featx.failure.Failures;
import dev.featx.failure.RunProblem;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.Serializable;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Retries calls to an unresponsive store, with growing pauses: it is likely to recover, and waiting preserves the work of a
 * shard where a failed attempt would not. Refusals fail immediately.
 *
 * @param seconds how long the store may be unresponsive
 * @param observer notified when a wait begins and ends
 */
public record Patience(long seconds, @JsonIgnore Observer observer) implements Serializable {
  private static final Logger LOG = LoggerFactory.getLogger(Patience.class);
  private static final long FIRST_PAUSE_MILLIS = 500;
  private static final long LONGEST_PAUSE_MILLIS = 10_000;

  @JsonCreator
  static Patience of(@JsonProperty("seconds") long seconds, @JacksonInject Observer observer) {
    return new Patience(seconds, observer);
  }

  /** Observes waits for stores. */
  public interface Observer extends Serializable {
    /**
     * Called when a wait begins or ends.
     *
     * @param what a description of what the task is waiting for; empty once the wait is over
     */
    void waitingFor(String what);
  }

  /** A call to a store, which may be repeated. */
  public interface Call<T> {
    /** Returns the result. */
    T run() throws IOException, InterruptedException;
  }

  /**
   * Returns the result of a call, retrying while the store does not respond.
   *
   * @param what describes the call in logs and messages
   * @throws FileNotFoundException if the file does not exist, which the caller handles
   * @throws RunProblem if the store refuses, or did not respond for too long
   */
  public <T> T withRetry(String what, Call<T> call) throws IOException, InterruptedException {
    long started = System.nanoTime();
    for (long pause = FIRST_PAUSE_MILLIS;; pause = Math.min(2 * pause, LONGEST_PAUSE_MILLIS)) {
      try {
        T result = call.run();
        observer.waitingFor("");
        return result;
      } catch (FileNotFoundException e) {
        throw e;
      } catch (IOException e) {
        RunProblem problem = Failures.of(e);
        if (!problem.failureClass().retryable()) {
          throw problem;
        }
        checkNotKilled();
        if (System.nanoTime() - started + pause * 1_000_000 > seconds * 1_000_000_000) {
          FailureClass known = Failures.known(e).orElse(FailureClass.STORE_UNREACHABLE);
          throw new RunProblem(known, what + " failed for " + seconds + " s: " + problem.getMessage(), e);
        }
        LOG.warn("{} failed, retrying: {}", what, problem.toString());
        observer.waitingFor(what + " failed: " + problem.getMessage());
        Thread.sleep(pause);
        checkNotKilled();
      }
    }
  }

  /** Ends a task that Spark has killed: nothing else interrupts a waiting task. */
  public static void checkNotKilled() {
    TaskContext task = TaskContext.get();
    if (task != null && task.isInterrupted()) {
      throw new TaskKilledException("the task was killed");
    }
  }
}
