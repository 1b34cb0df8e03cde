package dev.featx.nets;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Turns an SSD's raw maps into boxes, as caffe-ssd's DetectionOutput does (DetectionOutputLayer::Forward_cpu).
 *
 * <p>The maps stay as the net wrote them, channel by channel: of 8,732 boxes a handful pass the threshold, so values are
 * picked where they lie, and only boxes that pass are decoded.
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
   * Makes a detector of a converted net.
   *
   * @param file the net's file, which holds priors and settings
   * @param network the same net, converted
   * @throws IllegalArgumentException if the file is an extractor's
   */
  public Detector(NetworkFile file, CompiledNetwork network) {
    NetworkHeader.SingleShot settings = file.detection();
    if (settings == null) {
      throw new IllegalArgumentException("this network file holds no detector");
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

  /** Returns the converted net that this detector runs. */
  public CompiledNetwork network() {
    return network;
  }

  /**
   * Detects in a batch.
   *
   * @param images as {@link CompiledNetwork#forward}
   * @param count how many images
   * @param threshold boxes with a score above it are returned, 0 to 1; the net's own threshold plays no part
   * @return for each image its boxes, best first
   */
  public List<List<Detection>> detect(float[] images, int count, float threshold) {
    float[][] maps = network.forward(images, count);
    List<List<Detection>> found = new ArrayList<>(count);
    for (int image = 0; image < count; image++) {
      found.add(boxes(maps, count, image, threshold));
    }
    return found;
  }

  private List<Detection> boxes(float[][] maps, int count, int image, float threshold) {
    int heads = maps.length / 2;
    List<List<Detection>> perClass = new ArrayList<>(classes);
    for (int c = 0; c < classes; c++) {
      perClass.add(new ArrayList<>());
    }
    float[] logits = new float[classes];
    double least = leastLogit(threshold);
    int prior = 0;
    for (int head = 0; head < heads; head++) {
      float[] locations = maps[head];
      float[] confidences = maps[heads + head];
      int boxes = locations.length / count / 4;
      int places = placesOfHead[head];
      int anchors = boxes / places;
      boolean[] candidates = candidates(confidences, image * boxes * classes, anchors, places, least);
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
    List<Detection> kept = new ArrayList<>();
    perClass.forEach(candidates -> kept.addAll(suppressed(candidates)));
    kept.sort(BEST_FIRST);
    return keepLimit > 0 && kept.size() > keepLimit ? kept.subList(0, keepLimit) : kept;
  }

  /** Returns how far above the background's logit (softmax) or 0 (sigmoid) one has to be; rounding is allowed for. */
  private double leastLogit(float threshold) {
    double least = switch (scores) {
      case "softmax" -> Math.log(threshold);
      case "sigmoid" -> Math.log(threshold / (1.0 - threshold));
      default -> threshold;
    };
    return least - 1e-4;
  }

  /**
   * Returns false for nearly all boxes, which are spared a row of exponentials: exp(a) / sum <= exp(a - background).
   *
   * <p>Logits are looked at in the order in which they lie: COCO's are 174,000 an image.
   *
   * @param start where an image's logits begin: anchors x classes x places
   */
  private boolean[] candidates(float[] logits, int start, int anchors, int places, double least) {
    boolean[] found = new boolean[anchors * places];
    boolean softmax = scores.equals("softmax");
    if (softmax && background < 0) {
      Arrays.fill(found, true);
      return found;
    }
    for (int anchor = 0; anchor < anchors; anchor++) {
      int first = start + anchor * classes * places;
      for (int c = 0; c < classes; c++) {
        if (c == background) {
          continue;
        }
        for (int place = 0; place < places; place++) {
          float base = softmax ? logits[first + background * places + place] : 0;
          if (logits[first + c * places + place] - base >= least) {
            found[anchor * places + place] = true;
          }
        }
      }
    }
    return found;
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

  /** CENTER_SIZE decoding (caffe-ssd bbox_util.cpp, DecodeBBox). */
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
    List<Detection> kept = new ArrayList<>();
    for (Detection candidate : best) {
      if (kept.stream().noneMatch(other -> candidate.overlap(other) > overlapLimit)) {
        kept.add(candidate);
      }
    }
    return kept;
  }
}
