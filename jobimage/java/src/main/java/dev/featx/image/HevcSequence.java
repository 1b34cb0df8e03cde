package dev.featx.image;

import java.nio.ByteBuffer;

/** The size of frames that the sequence parameter sets of HEVC state (ITU-T H.265, section 7.3.2.2): decoders allocate by it. */
final class HevcSequence {
  private static final int PARAMETERS = 33; // type of a NAL unit
  private static final int UNITS = 22; // offset in the settings of HEVC
  private static final int LONGEST = 256; // bytes that hold the size, with those of the layers before it

  private HevcSequence() {}

  /** Returns the pixels of the largest frame that an item's settings (hvcC) allow, or 0. */
  static long inSettings(ByteBuffer settings) {
    long most = 0;
    int at = UNITS + 1;
    for (int arrays = settings.limit() > UNITS ? settings.get(UNITS) & 0xFF : 0; arrays > 0 && at + 3 <= settings.limit(); arrays--) {
      int units = settings.getShort(at + 1) & 0xFFFF;
      at += 3;
      for (; units > 0 && at + 2 <= settings.limit(); units--) {
        int length = settings.getShort(at) & 0xFFFF;
        most = Math.max(most, pixels(settings, at + 2, length));
        at += 2 + length;
      }
    }
    return most;
  }

  /** Returns the pixels of the largest frame that units in an item's data allow, each behind its length of four bytes, or 0. */
  static long inData(ByteBuffer data) {
    long most = 0;
    long at = 0;
    while (at + 4 <= data.limit()) {
      long length = data.getInt((int) at) & 0xFFFFFFFFL;
      most = Math.max(most, pixels(data, (int) at + 4, length));
      at += 4 + length;
    }
    return most;
  }

  private static long pixels(ByteBuffer data, int at, long length) {
    int size = (int) Math.min(LONGEST, Math.min(length, data.limit() - at));
    if (size < 3 || (data.get(at) >> 1 & 0x3F) != PARAMETERS) {
      return 0;
    }
    byte[] unit = new byte[size];
    int used = 0;
    int zeros = 0;
    for (int i = 2; i < size; i++) {
      byte value = data.get(at + i);
      boolean emulation = zeros >= 2 && value == 3; // inserted lest the data contain a start code
      zeros = emulation || value != 0 ? 0 : zeros + 1;
      if (!emulation) {
        unit[used++] = value;
      }
    }
    return pixels(new BitReader(unit, 0));
  }

  private static long pixels(BitReader bits) {
    bits.next(4);
    int layers = bits.next(3);
    bits.next(1);
    bits.next(24);
    bits.next(24);
    bits.next(24);
    bits.next(24); // profile and level
    boolean[] profiles = new boolean[layers];
    boolean[] levels = new boolean[layers];
    for (int i = 0; i < layers; i++) {
      profiles[i] = bits.flag();
      levels[i] = bits.flag();
    }
    if (layers > 0) {
      bits.next(2 * (8 - layers));
    }
    for (int i = 0; i < layers; i++) {
      for (int skipped = (profiles[i] ? 11 : 0) + (levels[i] ? 1 : 0); skipped > 0; skipped--) {
        bits.next(8);
      }
    }
    bits.exponential();
    if (bits.exponential() == 3) {
      bits.next(1); // chroma in planes of its own
    }
    return (long) bits.exponential() * bits.exponential();
  }
}
