package dev.featx.image;

/**
 * What the sequence headers in AV1 data say (AV1 bitstream specification, section 5.5).
 *
 * @param pixels of the largest frame that they allow: decoders allocate by it
 * @param limitedRange whether luma is from 16 to 235, by the first header
 */
record Av1Sequence(long pixels, boolean limitedRange) {
  private static final int SEQUENCE_HEADER = 1;
  private static final int PROFESSIONAL = 2; // profile
  private static final int SELECT = 2; // a tool is chosen by each frame

  /** Reads the headers, or returns null if there is none. */
  static Av1Sequence of(byte[] bytes, int start) {
    Av1Sequence sequence = null;
    int at = Math.max(0, start);
    while (at < bytes.length) {
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
        Av1Sequence own = read(new BitReader(bytes, at));
        sequence = sequence == null ? own : new Av1Sequence(Math.max(sequence.pixels, own.pixels), sequence.limitedRange);
      }
      if (!sized || length > bytes.length - at) {
        break;
      }
      at += length;
    }
    return sequence;
  }

  private static Av1Sequence read(BitReader bits) {
    int profile = bits.next(3);
    bits.next(1);
    boolean reduced = bits.flag();
    if (reduced) {
      bits.next(5);
    } else {
      skipOperatingPoints(bits);
    }
    int widthBits = bits.next(4) + 1;
    int heightBits = bits.next(4) + 1;
    long pixels = (bits.next(widthBits) + 1L) * (bits.next(heightBits) + 1L);
    skipTools(bits, reduced);
    return new Av1Sequence(pixels, isLimited(bits, profile));
  }

  private static void skipOperatingPoints(BitReader bits) {
    int delayBits = 0;
    if (bits.flag()) { // timing
      bits.next(32);
      bits.next(32);
      if (bits.flag()) {
        bits.exponential();
      }
      if (bits.flag()) {
        delayBits = bits.next(5) + 1;
        bits.next(32);
        bits.next(10);
      }
    }
    boolean delay = bits.flag();
    for (int points = bits.next(5) + 1; points > 0; points--) {
      bits.next(12);
      if (bits.next(5) > 7) {
        bits.next(1);
      }
      if (delayBits > 0 && bits.flag()) {
        bits.next(delayBits);
        bits.next(delayBits);
        bits.next(1);
      }
      if (delay && bits.flag()) {
        bits.next(4);
      }
    }
  }

  private static void skipTools(BitReader bits, boolean reduced) {
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

  private static boolean isLimited(BitReader bits, int profile) {
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
