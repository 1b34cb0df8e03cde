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
 * Waits for a store that does not answer, with growing pauses: it is likely to come back, and what a shard has done by
 * then is worth more than an early end of the attempt. What the store refuses is refused at once.
 *
 * @param seconds how long the store may be silent
 * @param observer is told when a store is waited for, and when no longer
 */
public record Patience(long seconds, @JsonIgnore Observer observer) implements Serializable {
  private static final Logger LOG = LoggerFactory.getLogger(Patience.class);
  private static final long FIRST_PAUSE_MILLIS = 500;
  private static final long LONGEST_PAUSE_MILLIS = 10_000;

  @JsonCreator
  static Patience of(@JsonProperty("seconds") long seconds, @JacksonInject Observer observer) {
    return new Patience(seconds, observer);
  }

  /** Is told what is waited for. */
  public interface Observer extends Serializable {
    /**
     * Notes it.
     *
     * @param what is waited for, in words; empty if nothing is any longer
     */
    void waitsFor(String what);
  }

  /** Something that is asked of a store, and may be asked again. */
  public interface Question<T> {
    /** Returns the answer. */
    T ask() throws IOException, InterruptedException;
  }

  /**
   * Returns the answer to a question that is asked until there is one.
   *
   * @param what in the words of a log
   * @throws FileNotFoundException if what is asked for is not there, which is its asker's to judge
   * @throws RunProblem if the store refuses, or did not respond for too long
   */
  public <T> T answer(String what, Question<T> question) throws IOException, InterruptedException {
    long started = System.nanoTime();
    for (long pause = FIRST_PAUSE_MILLIS;; pause = Math.min(2 * pause, LONGEST_PAUSE_MILLIS)) {
      try {
        T answer = question.ask();
        observer.waitsFor("");
        return answer;
      } catch (FileNotFoundException e) {
        throw e;
      } catch (IOException e) {
        RunProblem problem = Failures.of(e);
        if (!problem.failureClass().retryable()) {
          throw problem;
        }
        checkWanted();
        if (System.nanoTime() - started + pause * 1_000_000 > seconds * 1_000_000_000) {
          FailureClass known = Failures.known(e).orElse(FailureClass.STORE_UNREACHABLE);
          throw new RunProblem(known, what + " failed for " + seconds + " s: " + problem.getMessage(), e);
        }
        LOG.warn("{} failed, trying again: {}", what, e.toString());
        observer.waitsFor(what + " failed: " + e.getMessage());
        Thread.sleep(pause);
        checkWanted();
      }
    }
  }

  /** Ends the task if Spark no longer wants it: nothing else would interrupt one that waits. */
  public static void checkWanted() {
    TaskContext task = TaskContext.get();
    if (task != null && task.isInterrupted()) {
      throw new TaskKilledException("the task is no longer wanted");
    }
  }
}
