package dev.featx.task;

import dev.featx.table.StepSeconds;
import java.util.concurrent.atomic.LongAdder;

/** Adds up how long a shard's steps take, in all of its threads: where a run's time goes is seen in no other number. */
final class StepTimes {
  /** A step of a shard. Writing is timed where rows are written. */
  enum Step {
    READ, DECODE, IDLE, DETECT, EXTRACT
  }

  private final LongAdder[] nanos = new LongAdder[Step.values().length];

  StepTimes() {
    for (int i = 0; i < nanos.length; i++) {
      nanos[i] = new LongAdder();
    }
  }

  /**
   * Adds the time since a moment.
   *
   * @param step what was done
   * @param started when it began, by {@link System#nanoTime}
   */
  void add(Step step, long started) {
    nanos[step.ordinal()].add(System.nanoTime() - started);
  }

  /** Returns the sums. */
  StepSeconds seconds() {
    return new StepSeconds(of(Step.READ), of(Step.DECODE), of(Step.IDLE), of(Step.DETECT), of(Step.EXTRACT), 0);
  }

  private double of(Step step) {
    return Math.round(nanos[step.ordinal()].sum() / 1e6) / 1e3; // a millisecond is exact enough for markers
  }
}
