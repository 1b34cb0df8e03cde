package dev.featx.task;

import dev.featx.nets.Bits;
import java.io.Serializable;

/**
 * Converts a layer's units to bits, as in DeepBit: a bit is set if its unit is above a threshold, which is the same for all.
 *
 * @param threshold the threshold, or null for the mean of the image's units
 */
record Binarization(Float threshold) implements Serializable {
  byte[] bits(float[] units) {
    return Bits.pack(units, 0, units.length, threshold == null ? mean(units) : threshold);
  }

  private static float mean(float[] units) {
    double sum = 0;
    for (float value : units) {
      sum += value;
    }
    return (float) (sum / units.length);
  }
}
