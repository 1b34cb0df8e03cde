package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * The header of a BMP, with or without its file header (a DIB, as the Windows clipboard holds it).
 *
 * @param width in pixels
 * @param height in pixels
 * @param topDown whether the first row is stored first
 * @param offset of the pixels in the file
 * @param bits per pixel
 * @param compression one of {@link Compression}
 * @param masks of red, green, blue and alpha
 * @param palette blue, green and red of each colour; empty without a palette
 */
record BmpHeader(int width, int height, boolean topDown, int offset, int bits, Compression compression, int[] masks,
    byte[][] palette) {
  private static final int FILE_HEADER = 14;
  private static final int OS2 = 12;
  private static final int OS2_LONG = 64;
  private static final int PLAIN = 40;
  private static final Set<Integer> SIZES = Set.of(OS2, 16, PLAIN, 52, 56, OS2_LONG, 108, 124);
  private static final Set<Integer> DIB_SIZES = Set.of(PLAIN, 108, 124);
  private static final Set<Integer> BITS = Set.of(1, 2, 4, 8, 16, 24, 32);
  private static final int LONGEST_PALETTE = 8; // bits
  private static final int[] FIVE_BITS = {0x7C00, 0x3E0, 0x1F, 0};
  private static final int[] EIGHT_BITS = {0xFF0000, 0xFF00, 0xFF, 0};
  private static final int[] WITH_ALPHA = {0xFF0000, 0xFF00, 0xFF, 0xFF000000};

  /** How pixels are stored. */
  enum Compression {
    NONE,
    RUNS,
    UNKNOWN
  }

  static boolean isBmp(byte[] bytes) {
    boolean named = bytes.length >= FILE_HEADER + OS2 && bytes[0] == 'B' && bytes[1] == 'M';
    return named && SIZES.contains(wrap(bytes).getInt(FILE_HEADER)) || isDib(bytes);
  }

  private static boolean isDib(byte[] bytes) {
    return bytes.length >= PLAIN && DIB_SIZES.contains(wrap(bytes).getInt(0)) && wrap(bytes).getShort(12) == 1
        && BITS.contains((int) wrap(bytes).getShort(14)) && wrap(bytes).getInt(16) <= 6;
  }

  /** Reads the header of a file for which {@link #isBmp} is true; null if it is cut. */
  static BmpHeader of(byte[] bytes) {
    ByteBuffer data = wrap(bytes);
    int start = bytes[0] == 'B' ? FILE_HEADER : 0;
    int size = data.getInt(start);
    int offset = start == 0 ? 0 : Math.max(0, data.getInt(10));
    if (size == OS2) {
      int bits = data.getShort(24);
      byte[][] palette = palette(bytes, start + OS2, 3, bits, 1 << Math.min(LONGEST_PALETTE, bits), offset);
      return new BmpHeader(data.getShort(18) & 0xFFFF, data.getShort(20) & 0xFFFF, false,
          pixels(offset, start + OS2, 3 * palette.length), bits,
          bits == 16 || BITS.contains(bits) ? Compression.NONE : Compression.UNKNOWN, bits == 16 ? FIVE_BITS : EIGHT_BITS, palette);
    }
    if (bytes.length < start + Math.min(size, PLAIN)) {
      return null;
    }
    int height = data.getInt(start + 8);
    int bits = data.getShort(start + 14);
    int stored = size >= PLAIN ? data.getInt(start + 16) : 0;
    boolean masked = size != OS2_LONG && (stored == 3 || stored == 6);
    // A header of 40 bytes is followed by three or four masks; longer ones contain them.
    int end = start + size + (masked && size == PLAIN ? stored == 6 ? 16 : 12 : 0);
    int used = size >= PLAIN ? data.getInt(start + 32) : 0;
    byte[][] palette = palette(bytes, end, 4, bits, used, offset);
    int[] masks = masked ? masks(data, start + PLAIN, size >= 56 || stored == 6 ? 4 : 3)
        : bits == 16 ? FIVE_BITS.clone() : EIGHT_BITS.clone();
    masks[3] = bits == 16 && Integer.bitCount(masks[3]) == 1 ? 0 : masks[3]; // viewers ignore the sixteenth bit
    int colours = used > 0 && used < palette.length ? used : palette.length;
    return new BmpHeader(data.getInt(start + 4), Math.abs(height), height < 0, pixels(offset, end, 4 * colours), bits,
        compression(size, stored, bits), masks, palette);
  }

  private static Compression compression(int size, int stored, int bits) {
    boolean plain = stored == 0 || size != OS2_LONG && (bits == 16 || bits == 32) && (stored == 3 || stored == 6);
    boolean runs = stored == 1 && bits == 8 || stored == 2 && bits == 4 || stored == 4 && size == OS2_LONG && bits == 24;
    return plain && BITS.contains(bits) ? Compression.NONE : runs ? Compression.RUNS : Compression.UNKNOWN;
  }

  private static int[] masks(ByteBuffer data, int at, int count) {
    int[] masks = new int[4];
    for (int i = 0; i < count && at + 4 * i + 4 <= data.limit(); i++) {
      masks[i] = data.getInt(at + 4 * i);
    }
    return IntStream.of(masks).allMatch(mask -> mask == 0) ? WITH_ALPHA.clone() : masks;
  }

  /** Reads the palette, which ends where the pixels begin, whatever the header says. */
  private static byte[][] palette(byte[] bytes, int start, int entry, int bits, int used, int offset) {
    if (bits < 1 || bits > LONGEST_PALETTE) {
      return new byte[0][];
    }
    byte[][] palette = new byte[1 << bits][3];
    int end = offset > start ? Math.min(offset, bytes.length) : bytes.length;
    int count = used > 0 && used < palette.length ? used : palette.length;
    for (int i = 0; i < count && start + entry * i + 3 <= end; i++) {
      System.arraycopy(bytes, start + entry * i, palette[i], 0, 3);
    }
    return palette;
  }

  /** Returns where pixels begin: after the palette, even if the header says that they begin where it does. */
  private static int pixels(int offset, int header, int palette) {
    return offset > header ? offset : header + palette;
  }

  /** Returns the bytes of a row, if rows are not compressed. */
  long rowSize() {
    return ((long) width * bits + 31) / 32 * 4;
  }

  /** Returns the size of a whole file, of which only the padding of the last row may be missing; 0 if pixels are compressed. */
  long fileSize() {
    return compression == Compression.NONE ? offset + rowSize() * (height - 1) + ((long) width * bits + 7) / 8 : 0;
  }

  private static ByteBuffer wrap(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
