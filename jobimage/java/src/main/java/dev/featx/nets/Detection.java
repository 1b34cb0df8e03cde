package dev.featx.nets;

/**
 * A box reported by a detector.
 *
 * @param x0 left, as a share of the image's width
 * @param y0 top, as a share of its height
 * @param x1 right
 * @param y1 bottom
 * @param score 0 to 1
 * @param category the net's index of the class
 */
public record Detection(float x0, float y0, float x1, float y1, float score, int category) {
  Box box() {
    return new Box(x0, y0, x1, y1);
  }
}
