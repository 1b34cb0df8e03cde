package dev.featx.image;

/** Reads bits of a bitstream, the highest one of a byte first; those after the end are zeros. */
final class BitReader {
  private static final int LONGEST = 32;

  private final byte[] bytes;
  private long at;

  BitReader(byte[] bytes, int start) {
    this.bytes = bytes;
    at = 8L * start;
  }

  int next(int count) {
    int value = 0;
    for (int i = 0; i < count; i++, at++) {
      int bit = at < 8L * bytes.length ? bytes[(int) (at >> 3)] >> 7 - (at & 7) & 1 : 0;
      value = value << 1 | bit;
    }
    return value;
  }

  boolean flag() {
    return next(1) == 1;
  }

  /** Returns a number in the code of Exp-Golomb: as many zeros as it has bits after the first one. */
  int exponential() {
    int zeros = 0;
    while (zeros < LONGEST && !flag()) {
      zeros++;
    }
    return zeros >= LONGEST ? Integer.MAX_VALUE : (1 << zeros) - 1 + next(zeros);
  }
}
