package dev.featx.image;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Pixels in flight are bounded, in the shard's order, and nothing waits for ever. */
@Timeout(10)
class PixelBudgetTest {
  private static CompletableFuture<Void> entering(PixelBudget budget, int order, long pixels) {
    return CompletableFuture.runAsync(() -> {
      try {
        budget.enter(order, pixels);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    });
  }

  private static void untilStarved(PixelBudget budget) {
    while (!budget.isStarved()) {
      Thread.onSpinWait();
    }
  }

  @Test
  void imagesEnterInOrderWhateverThreadComesFirst() throws Exception {
    PixelBudget budget = new PixelBudget(100);
    CompletableFuture<Void> second = entering(budget, 1, 10);
    assertFalse(second.isDone());
    budget.enter(0, 10);
    second.get(5, TimeUnit.SECONDS);
  }

  @Test
  void anImageThatDoesNotFitWaitsUntilOthersLeave() throws Exception {
    PixelBudget budget = new PixelBudget(100);
    budget.enter(0, 80);
    CompletableFuture<Void> next = entering(budget, 1, 30);
    untilStarved(budget);
    assertFalse(next.isDone());
    budget.leave(80);
    next.get(5, TimeUnit.SECONDS);
    assertFalse(budget.isStarved());
  }

  @Test
  void anImageLargerThanTheBudgetEntersAlone() throws Exception {
    PixelBudget budget = new PixelBudget(100);
    budget.enter(0, 500);
    CompletableFuture<Void> next = entering(budget, 1, 1);
    untilStarved(budget);
    budget.leave(500);
    next.get(5, TimeUnit.SECONDS);
  }

  @Test
  void anImageThatIsNotDecodedPassesAtOnce() throws Exception {
    PixelBudget budget = new PixelBudget(100);
    budget.enter(0, 100);
    budget.enter(1, 0);
  }
}
