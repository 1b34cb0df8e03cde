package dev.featx.nets;

/** Packs features into bits as numpy.packbits does: the first value is the highest bit of the first byte. */
public final class Bits {
  private Bits() {}

  /**
   * Packs values into bits, each set if its value is above a threshold.
   *
   * @param values features
   * @param from index of the first value
   * @param length number of values
   * @param threshold a value equal to it gives 0
   * @return (length + 7) / 8 bytes; bits past the end are 0
   */
  public static byte[] pack(float[] values, int from, int length, float threshold) {
    byte[] packed = new byte[(length + 7) / 8];
    for (int i = 0; i < length; i++) {
      if (values[from + i] > threshold) {
        packed[i >> 3] |= (byte) (0x80 >> (i & 7));
      }
    }
    return packed;
  }
}
