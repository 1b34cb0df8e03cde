package dev.featx.task;

import dev.featx.nets.Bits;
import java.io.Serializable;

/**
 * How a layer's units become bits: a bit is set if its unit is above one threshold for all units, as in DeepBit.
 *
 * @param threshold the threshold, or null for the mean of the image's own units
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
