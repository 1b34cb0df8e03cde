package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * The header of a BMP.
 *
 * @param width in pixels
 * @param height in pixels
 * @param topDown whether the first row is stored first
 * @param offset of the pixels in the file
 * @param bits per pixel
 * @param compression 0 for none, 3 for masks of bits
 * @param masks of red, green, blue and alpha, if the compression is 3
 */
record BmpHeader(int width, int height, boolean topDown, int offset, int bits, int compression, int[] masks) {
  static final int NONE = 0;
  static final int MASKS = 3;
  private static final int FILE_HEADER = 14;
  private static final int OS2 = 12;
  private static final Set<Integer> SIZES = Set.of(OS2, 16, 40, 52, 56, 64, 108, 124);

  static boolean isBmp(byte[] bytes) {
    return bytes.length >= FILE_HEADER + OS2 && bytes[0] == 'B' && bytes[1] == 'M' && SIZES.contains(wrap(bytes).getInt(FILE_HEADER));
  }

  /** Reads the header of a file for which {@link #isBmp} is true; null if it is cut. */
  static BmpHeader of(byte[] bytes) {
    ByteBuffer data = wrap(bytes);
    int size = data.getInt(FILE_HEADER);
    int offset = Math.max(0, data.getInt(10));
    if (size == OS2) {
      return new BmpHeader(data.getShort(18) & 0xFFFF, data.getShort(20) & 0xFFFF, false, offset, data.getShort(24), NONE, new int[4]);
    }
    if (bytes.length < FILE_HEADER + 40) {
      return null;
    }
    int height = data.getInt(22);
    int compression = size >= 40 ? data.getInt(30) : NONE;
    int[] masks = new int[4];
    // A header of 40 bytes is followed by three masks; longer ones contain three or four.
    for (int i = 0; i < (size >= 56 ? 4 : 3) && compression == MASKS && bytes.length >= FILE_HEADER + 56; i++) {
      masks[i] = data.getInt(FILE_HEADER + 40 + 4 * i);
    }
    if (IntStream.of(masks).allMatch(mask -> mask == 0)) {
      masks = new int[] {0xFF0000, 0xFF00, 0xFF, 0xFF000000};
    }
    return new BmpHeader(data.getInt(18), Math.abs(height), height < 0, offset, data.getShort(28), compression, masks);
  }

  /** Returns whether each pixel has four bytes in an order given by masks, which may include alpha. */
  boolean hasByteMasks() {
    return bits == 32 && compression == MASKS;
  }

  /** Returns the size of a whole file, or 0 if pixels are compressed. */
  long fileSize() {
    boolean plain = compression == NONE || compression == MASKS;
    return plain ? offset + (((long) width * bits + 31) / 32 * 4) * height : 0;
  }

  private static ByteBuffer wrap(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
