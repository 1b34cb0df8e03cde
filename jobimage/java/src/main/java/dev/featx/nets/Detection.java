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
  float area() {
    return Math.max(0, x1 - x0) * Math.max(0, y1 - y0);
  }

  /** Returns the intersection over union of two boxes. */
  float overlap(Detection other) {
    float width = Math.min(x1, other.x1) - Math.max(x0, other.x0);
    float height = Math.min(y1, other.y1) - Math.max(y0, other.y0);
    if (width <= 0 || height <= 0) {
      return 0;
    }
    float intersection = width * height;
    return intersection / (area() + other.area() - intersection);
  }
}
