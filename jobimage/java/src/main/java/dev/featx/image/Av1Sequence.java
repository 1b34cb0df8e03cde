package dev.featx.image;

/**
 * What the sequence header at the start of AV1 data says (AV1 bitstream specification, section 5.5).
 *
 * @param pixels of a frame
 * @param limitedRange whether luma is from 16 to 235
 */
record Av1Sequence(long pixels, boolean limitedRange) {
  private static final int SEQUENCE_HEADER = 1;
  private static final int MOST_UNITS = 16;
  private static final int PROFESSIONAL = 2; // profile
  private static final int SELECT = 2; // a tool is chosen by each frame

  /** Reads bits, the highest one first; those after the end are zeros. */
  private static final class Bits {
    private final byte[] bytes;
    private long at;

    Bits(byte[] bytes, int start) {
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
  }

  /** Reads the header, or returns null if there is none, or one of a kind that still images do not have. */
  static Av1Sequence of(byte[] bytes, int start) {
    int at = Math.max(0, start);
    for (int unit = 0; unit < MOST_UNITS && at < bytes.length; unit++) {
      int type = bytes[at] >> 3 & 0xF;
      boolean extended = (bytes[at] & 4) != 0;
      boolean sized = (bytes[at] & 2) != 0;
      at += extended ? 2 : 1;
      int length = 0;
      for (int shift = 0; sized && at < bytes.length && shift < 28; shift += 7) {
        length |= (bytes[at] & 0x7F) << shift;
        if (bytes[at++] >= 0) {
          break;
        }
      }
      if (type == SEQUENCE_HEADER) {
        return read(new Bits(bytes, at));
      }
      if (!sized || length > bytes.length - at) {
        return null;
      }
      at += length;
    }
    return null;
  }

  private static Av1Sequence read(Bits bits) {
    int profile = bits.next(3);
    bits.next(1);
    boolean reduced = bits.flag();
    if (reduced) {
      bits.next(5);
    } else if (!operatingPoints(bits)) {
      return null;
    }
    int widthBits = bits.next(4) + 1;
    int heightBits = bits.next(4) + 1;
    long pixels = (bits.next(widthBits) + 1L) * (bits.next(heightBits) + 1L);
    tools(bits, reduced);
    return new Av1Sequence(pixels, isLimited(bits, profile));
  }

  /** Skips the operating points, and returns false if there is timing information. */
  private static boolean operatingPoints(Bits bits) {
    if (bits.flag()) {
      return false;
    }
    boolean delay = bits.flag();
    for (int points = bits.next(5) + 1; points > 0; points--) {
      bits.next(12);
      if (bits.next(5) > 7) {
        bits.next(1);
      }
      if (delay && bits.flag()) {
        bits.next(4);
      }
    }
    return true;
  }

  private static void tools(Bits bits, boolean reduced) {
    if (!reduced && bits.flag()) {
      bits.next(7); // lengths of frame numbers
    }
    bits.next(3);
    if (!reduced) {
      bits.next(4);
      boolean ordered = bits.flag();
      if (ordered) {
        bits.next(2);
      }
      int screen = bits.flag() ? SELECT : bits.next(1);
      if (screen > 0 && !bits.flag()) {
        bits.next(1);
      }
      if (ordered) {
        bits.next(3);
      }
    }
    bits.next(3);
  }

  private static boolean isLimited(Bits bits, int profile) {
    boolean deep = bits.flag();
    if (profile == PROFESSIONAL && deep) {
      bits.next(1);
    }
    boolean grey = profile != 1 && bits.flag();
    if (bits.flag()) {
      bits.next(24);
    }
    return grey && !bits.flag();
  }
}
