package dev.featx.image;

import org.opencv.core.Rect;

/**
 * The part of an image passed to the extractor.
 *
 * @param x0 left edge of the box in pixels
 * @param y0 upper edge in pixels
 * @param x1 right edge in pixels
 * @param y1 lower edge in pixels
 * @param score from the detector, or null for the whole image
 * @param category the class, or null for the whole image
 * @param crop the box with its margin, in whole pixels
 */
public record Subject(float x0, float y0, float x1, float y1, Float score, Integer category, Rect crop) {
  /** Returns a subject that is the whole image. */
  public static Subject wholeImage(int width, int height) {
    return new Subject(0, 0, width, height, null, null, new Rect(0, 0, width, height));
  }
}
