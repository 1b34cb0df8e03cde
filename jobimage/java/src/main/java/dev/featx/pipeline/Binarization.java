package dev.featx.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import dev.featx.nets.Bits;
import java.io.Serializable;

/**
 * How a feature becomes bits: a unit's bit is set if the unit is above one threshold for all units, as in DeepBit.
 *
 * @param threshold the threshold, or null for the mean of the feature at hand
 */
record Binarization(Float threshold) implements Serializable {
  static Binarization of(JsonNode binarize) {
    return new Binarization(
        binarize.hasNonNull("threshold") ? (float) binarize.get("threshold").asDouble() : null);
  }

  byte[] bits(float[] feature) {
    return Bits.pack(feature, 0, feature.length, threshold == null ? mean(feature) : threshold);
  }

  private static float mean(float[] feature) {
    double sum = 0;
    for (float value : feature) {
      sum += value;
    }
    return (float) (sum / feature.length);
  }
}
