package dev.featx.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.Serializable;

/**
 * How a feature becomes bits: a unit's bit is set if the unit is above one threshold for all units, as in DeepBit.
 *
 * @param threshold the threshold, or null for the mean of the feature at hand
 */
record Bits(Float threshold) implements Serializable {
  static Bits of(JsonNode binarize) {
    return new Bits(binarize.hasNonNull("threshold") ? (float) binarize.get("threshold").asDouble() : null);
  }

  /** Returns the bits, eight a byte, first unit in the highest bit (numpy.packbits), zeros at the end. */
  byte[] pack(float[] feature) {
    double limit = threshold == null ? mean(feature) : threshold;
    byte[] packed = new byte[(feature.length + 7) / 8];
    for (int unit = 0; unit < feature.length; unit++) {
      if (feature[unit] > limit) {
        packed[unit / 8] |= (byte) (0x80 >> unit % 8);
      }
    }
    return packed;
  }

  private static double mean(float[] feature) {
    double sum = 0;
    for (float value : feature) {
      sum += value;
    }
    return sum / feature.length;
  }
}
