package dev.featx.image;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Pixels in flight are bounded, in the shard's order and without deadlock. */
@Timeout(10)
class PixelBudgetTest {
  private static CompletableFuture<Void> enterAsync(PixelBudget budget, int order, long pixels) {
    return CompletableFuture.runAsync(() -> {
      try {
        budget.enter(order, pixels);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    });
  }

  private static void awaitStarved(PixelBudget budget) {
    while (!budget.isStarved()) {
      Thread.onSpinWait();
    }
  }

  @Test
  void imagesEnterInOrderWhicheverThreadIsFirst() throws Exception {
    PixelBudget budget = new PixelBudget(100);
    CompletableFuture<Void> second = enterAsync(budget, 1, 10);
    assertFalse(second.isDone());
    budget.enter(0, 10);
    second.get(5, TimeUnit.SECONDS);
  }

  @Test
  void anImageThatDoesNotFitWaitsUntilOthersLeave() throws Exception {
    PixelBudget budget = new PixelBudget(100);
    budget.enter(0, 80);
    CompletableFuture<Void> next = enterAsync(budget, 1, 30);
    awaitStarved(budget);
    assertFalse(next.isDone());
    budget.leave(80);
    next.get(5, TimeUnit.SECONDS);
    assertFalse(budget.isStarved());
  }

  @Test
  void anImageThatJustFitsEntersImmediately() throws Exception {
    PixelBudget budget = new PixelBudget(100);
    budget.enter(0, 80);
    budget.enter(1, 20);
  }

  @Test
  void anImageLargerThanTheBudgetEntersAlone() throws Exception {
    PixelBudget budget = new PixelBudget(100);
    budget.enter(0, 500);
    CompletableFuture<Void> next = enterAsync(budget, 1, 1);
    awaitStarved(budget);
    budget.leave(500);
    next.get(5, TimeUnit.SECONDS);
  }

  @Test
  void anImageThatIsNotDecodedEntersImmediately() throws Exception {
    PixelBudget budget = new PixelBudget(100);
    budget.enter(0, 100);
    budget.enter(1, 0);
  }
}
