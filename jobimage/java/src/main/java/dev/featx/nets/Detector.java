package dev.featx.nets;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Converts an SSD's raw maps to boxes, as caffe-ssd's DetectionOutput does (DetectionOutputLayer::Forward_cpu).
 *
 * <p>The maps stay as the net wrote them, channel by channel: only a handful of 8,732 boxes pass the threshold, so values are
 * read in place, and only boxes that pass are decoded.
 */
public final class Detector {
  private static final Comparator<Detection> BEST_FIRST = Comparator.comparing(Detection::score).reversed();

  private final CompiledNetwork network;
  private final float[] priors;
  private final float[] variances;
  private final int classes;
  private final int background;
  private final float overlapLimit;
  private final int perClassLimit;
  private final int keepLimit;
  private final String scores;
  private final int[] placesOfHead;

  /**
   * Creates a detector from a compiled net.
   *
   * @param file the net's file, which contains priors and settings
   * @param network the same net, compiled
   * @throws IllegalArgumentException if the file contains an extractor
   */
  public Detector(NetworkFile file, CompiledNetwork network) {
    NetworkHeader.SingleShot settings = file.detection();
    if (settings == null) {
      throw new IllegalArgumentException("network file does not contain a detector");
    }
    this.network = network;
    this.priors = file.floats(settings.priors());
    this.variances = settings.varianceInTarget()
        ? new float[] {1, 1, 1, 1} : file.floats(settings.variances());
    this.classes = settings.classes();
    this.background = settings.background();
    this.overlapLimit = settings.nmsThreshold();
    this.perClassLimit = settings.topK();
    this.keepLimit = settings.keepTopK();
    this.scores = settings.scores();
    this.placesOfHead = file.outputShapes().stream().limit(file.ownOutputs()).mapToInt(shape -> shape[1] * shape[2]).toArray();
  }

  /** Returns the compiled net that this detector runs. */
  public CompiledNetwork network() {
    return network;
  }

  /**
   * Detects objects in a batch.
   *
   * @param images as {@link CompiledNetwork#forward}
   * @param count number of images
   * @param threshold boxes with a higher score are returned, 0 to 1; the net's own threshold is ignored
   * @return the boxes of each image, best first
   */
  public List<List<Detection>> detect(float[] images, int count, float threshold) {
    float[][] maps = network.forward(images, count);
    List<List<Detection>> detections = new ArrayList<>(count);
    for (int image = 0; image < count; image++) {
      detections.add(boxes(maps, count, image, threshold));
    }
    return detections;
  }

  private List<Detection> boxes(float[][] maps, int count, int image, float threshold) {
    int heads = maps.length / 2;
    List<List<Detection>> perClass = new ArrayList<>(classes);
    for (int c = 0; c < classes; c++) {
      perClass.add(new ArrayList<>());
    }
    float[] logits = new float[classes];
    double lowest = lowestLogit(threshold);
    int prior = 0;
    for (int head = 0; head < heads; head++) {
      float[] locations = maps[head];
      float[] confidences = maps[heads + head];
      int boxes = locations.length / count / 4;
      int places = placesOfHead[head];
      int anchors = boxes / places;
      boolean[] candidates = candidates(confidences, image * boxes * classes, anchors, places, lowest);
      for (int place = 0; place < places; place++) {
        for (int anchor = 0; anchor < anchors; anchor++, prior++) {
          if (!candidates[anchor * places + place]) {
            continue;
          }
          int at = image * boxes * classes + anchor * classes * places + place;
          for (int c = 0; c < classes; c++) {
            logits[c] = confidences[at + c * places];
          }
          toScores(logits);
          for (int c = 0; c < classes; c++) {
            if (c != background && logits[c] > threshold) {
              int location = image * boxes * 4 + anchor * 4 * places + place;
              perClass.get(c).add(decode(locations, location, places, prior, logits[c], c));
            }
          }
        }
      }
    }
    List<Detection> selected = new ArrayList<>();
    perClass.forEach(candidates -> selected.addAll(suppressed(candidates)));
    selected.sort(BEST_FIRST);
    return keepLimit > 0 && selected.size() > keepLimit ? selected.subList(0, keepLimit) : selected;
  }

  /** Returns the minimum of a logit above the background's (softmax) or 0 (sigmoid), less a tolerance for rounding. */
  private double lowestLogit(float threshold) {
    double lowest = switch (scores) {
      case "softmax" -> Math.log(threshold);
      case "sigmoid" -> Math.log(threshold / (1.0 - threshold));
      default -> threshold;
    };
    return lowest - 1e-4;
  }

  /**
   * Excludes nearly all boxes without computing their exponentials: exp(a) / sum <= exp(a - background).
   *
   * <p>Logits are read in memory order: COCO has 174,000 per image.
   *
   * @param start index of an image's first logit: anchors x classes x places
   */
  private boolean[] candidates(float[] logits, int start, int anchors, int places, double lowest) {
    boolean[] candidates = new boolean[anchors * places];
    boolean softmax = scores.equals("softmax");
    if (softmax && background < 0) {
      Arrays.fill(candidates, true);
      return candidates;
    }
    for (int anchor = 0; anchor < anchors; anchor++) {
      int first = start + anchor * classes * places;
      for (int c = 0; c < classes; c++) {
        if (c == background) {
          continue;
        }
        for (int place = 0; place < places; place++) {
          float base = softmax ? logits[first + background * places + place] : 0;
          if (logits[first + c * places + place] - base >= lowest) {
            candidates[anchor * places + place] = true;
          }
        }
      }
    }
    return candidates;
  }

  private void toScores(float[] logits) {
    if (scores.equals("softmax")) {
      float largest = Float.NEGATIVE_INFINITY;
      for (float logit : logits) {
        largest = Math.max(largest, logit);
      }
      float sum = 0;
      for (int c = 0; c < logits.length; c++) {
        logits[c] = (float) Math.exp(logits[c] - largest);
        sum += logits[c];
      }
      for (int c = 0; c < logits.length; c++) {
        logits[c] /= sum;
      }
    } else if (scores.equals("sigmoid")) {
      for (int c = 0; c < logits.length; c++) {
        logits[c] = (float) (1 / (1 + Math.exp(-logits[c])));
      }
    }
  }

  /** Decodes a box as CENTER_SIZE (caffe-ssd bbox_util.cpp, DecodeBBox). */
  private Detection decode(float[] map, int at, int step, int prior, float score, int category) {
    float left = priors[prior * 4];
    float top = priors[prior * 4 + 1];
    float width = priors[prior * 4 + 2] - left;
    float height = priors[prior * 4 + 3] - top;
    float[] v = variances;
    float centerX = v[0] * map[at] * width + left + width / 2;
    float centerY = v[1] * map[at + step] * height + top + height / 2;
    float halfWidth = (float) Math.exp(v[2] * map[at + 2 * step]) * width / 2;
    float halfHeight = (float) Math.exp(v[3] * map[at + 3 * step]) * height / 2;
    return new Detection(centerX - halfWidth, centerY - halfHeight, centerX + halfWidth, centerY + halfHeight, score,
        category);
  }

  private List<Detection> suppressed(List<Detection> candidates) {
    candidates.sort(BEST_FIRST);
    List<Detection> best =
        perClassLimit > 0 && candidates.size() > perClassLimit ? candidates.subList(0, perClassLimit) : candidates;
    List<Detection> selected = new ArrayList<>();
    for (Detection candidate : best) {
      if (selected.stream().noneMatch(other -> candidate.box().overlap(other.box()) > overlapLimit)) {
        selected.add(candidate);
      }
    }
    return selected;
  }
}
