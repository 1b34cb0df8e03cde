package dev.featx.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Executors that do nothing leave first, then those that came last. */
class ExecutorCountTest {
  private static final List<String> ACTIVE = List.of("2", "10", "1", "9");

  @Test
  void idleExecutorsLeaveBeforeBusyOnesAndYoungOnesBeforeOld() {
    Set<String> busy = Set.of("1", "9", "10");
    assertEquals(List.of(), ExecutorCount.leaving(ACTIVE, busy::contains, 4));
    assertEquals(List.of("2"), ExecutorCount.leaving(ACTIVE, busy::contains, 3));
    assertEquals(List.of("2", "10", "9"), ExecutorCount.leaving(ACTIVE, busy::contains, 1));
  }

  @Test
  void nobodyLeavesWhileExecutorsAreMissing() {
    assertEquals(List.of(), ExecutorCount.leaving(ACTIVE, executor -> false, 7));
    assertEquals(List.of(), ExecutorCount.leaving(List.of(), executor -> false, 1));
  }
}
