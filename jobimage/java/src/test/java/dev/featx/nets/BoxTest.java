package dev.featx.nets;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The intersection over union of boxes. */
class BoxTest {
  private static final Box BOX = new Box(2, 2, 6, 4); // area 8

  @ParameterizedTest
  @CsvSource({
      "2, 2, 6, 4, 1", // itself
      "4, 3, 8, 7, 0.09090909", // 2 of 8 + 16 - 2
      "0, 0, 4, 3, 0.11111111", // 2 of 8 + 12 - 2
      "3, 2, 5, 3, 0.25", // within
      "0, 0, 10, 8, 0.1", // around
      "6, 2, 8, 4, 0", // beside, touching
      "2, 4, 6, 6, 0", // below, touching
      "8, 2, 9, 4, 0", // apart on one axis
      "8, 6, 9, 9, 0", // apart on both axes
      "3, 3, 3, 3, 0", // empty
      "5, 3, 3, 2, 0", // inverted
  })
  void overlapIsIntersectionOverUnion(float x0, float y0, float x1, float y1, float expected) {
    Box other = new Box(x0, y0, x1, y1);
    assertEquals(expected, BOX.overlap(other), 1e-7f);
    assertEquals(expected, other.overlap(BOX), 1e-7f);
  }

  @Test
  void overlapDoesNotDependOnTheUnit() {
    assertEquals(0.09090909f, new Box(0.2f, 0.2f, 0.6f, 0.4f).overlap(new Box(0.4f, 0.3f, 0.8f, 0.7f)), 1e-6f);
  }
}
