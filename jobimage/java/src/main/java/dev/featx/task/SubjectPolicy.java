package dev.featx.task;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import dev.featx.image.Subject;
import dev.featx.nets.Detection;
import java.io.Serializable;
import java.util.List;
import java.util.Set;
import org.opencv.core.Rect;

/**
 * Selects the subject from a detector's boxes, and the margin around it to crop.
 *
 * @param classes the classes of interest; empty for all
 * @param threshold the minimum score
 * @param margin widens the box by this share of its size on each side
 * @param minArea the minimum share of the image
 * @param skip whether an image without a usable box is rejected instead of used whole
 */
record SubjectPolicy(Set<Integer> classes, float threshold, float margin, float minArea, boolean skip) implements Serializable {
  /**
   * Chooses the best usable box.
   *
   * @param detections best first
   * @param width of the image in pixels
   * @param height of the image in pixels
   * @throws ImageProblem NoDetection, if no box is usable and the policy is to skip
   */
  Subject choose(List<Detection> detections, int width, int height) throws ImageProblem {
    for (Detection detection : detections) {
      float x0 = clip(detection.x0()) * width;
      float y0 = clip(detection.y0()) * height;
      float x1 = clip(detection.x1()) * width;
      float y1 = clip(detection.y1()) * height;
      boolean wanted = classes.isEmpty() || classes.contains(detection.category());
      float share = (x1 - x0) * (y1 - y0) / ((float) width * height);
      if (wanted && x1 > x0 && y1 > y0 && share >= minArea) {
        Rect crop = widened(x0, y0, x1, y1, width, height);
        return new Subject(x0, y0, x1, y1, detection.score(), detection.category(), crop);
      }
    }
    if (skip) {
      throw new ImageProblem(ImageProblem.Stage.DETECT, QuarantineReason.NO_DETECTION,
          "no box with a score above " + threshold + (classes.isEmpty() ? "" : " of the classes " + classes)
              + (minArea > 0 ? " and at least " + minArea + " of the image" : "")
              + "; set spec.detector.crop.fallback to wholeImage to use the whole image");
    }
    return Subject.wholeImage(width, height);
  }

  private Rect widened(float x0, float y0, float x1, float y1, int width, int height) {
    float sideways = margin * (x1 - x0);
    float upwards = margin * (y1 - y0);
    int left = (int) Math.max(0, Math.floor(x0 - sideways));
    int top = (int) Math.max(0, Math.floor(y0 - upwards));
    int right = (int) Math.min(width, Math.ceil(x1 + sideways));
    int bottom = (int) Math.min(height, Math.ceil(y1 + upwards));
    return new Rect(left, top, right - left, bottom - top);
  }

  private static float clip(float share) {
    return Math.max(0, Math.min(1, share));
  }
}
