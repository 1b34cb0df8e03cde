package dev.featx.nets;

/** A rectangle, in pixels or shares of an image. */
public record Box(float x0, float y0, float x1, float y1) {
  /** Returns the intersection over union of two boxes. */
  public float overlap(Box other) {
    float width = Math.min(x1, other.x1) - Math.max(x0, other.x0);
    float height = Math.min(y1, other.y1) - Math.max(y0, other.y0);
    if (width <= 0 || height <= 0) {
      return 0;
    }
    float intersection = width * height;
    return intersection / (area() + other.area() - intersection);
  }

  private float area() {
    return Math.max(0, x1 - x0) * Math.max(0, y1 - y0);
  }
}
