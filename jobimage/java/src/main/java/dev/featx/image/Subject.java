package dev.featx.image;

import java.util.Objects;
import org.opencv.core.Rect;

/**
 * The part of an image that goes on to the extractor.
 *
 * @param x0 left edge of the box in pixels, likewise the others
 * @param score of the detector, or null for the whole image
 * @param category the class, or null for the whole image
 * @param crop the box with its margin, in whole pixels
 */
public record Subject(float x0, float y0, float x1, float y1, Float score, Integer category, Rect crop) {

  public static Subject wholeImage(int width, int height) {
    return new Subject(0, 0, width, height, null, null, new Rect(0, 0, width, height));
  }

  /** Returns whether two are of one class, or both whole images, and their boxes have at least such a share in common. */
  public boolean isLike(Subject other, float overlap) {
    float width = Math.min(x1, other.x1) - Math.max(x0, other.x0);
    float height = Math.min(y1, other.y1) - Math.max(y0, other.y0);
    float common = Math.max(0, width) * Math.max(0, height);
    float union = (x1 - x0) * (y1 - y0) + (other.x1 - other.x0) * (other.y1 - other.y0) - common;
    return Objects.equals(category, other.category) && common >= overlap * union;
  }
}
