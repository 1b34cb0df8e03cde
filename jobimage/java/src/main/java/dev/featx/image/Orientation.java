package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.opencv.core.Core;
import org.opencv.core.Mat;

/**
 * How a camera was held, and how its image comes upright (Exif 2.32, tag 0x0112).
 *
 * <p>Named by where the stored image's first row and first column belong.
 */
enum Orientation {
  TOP_LEFT(false, null),
  TOP_RIGHT(false, 1),
  BOTTOM_RIGHT(false, -1),
  BOTTOM_LEFT(false, 0),
  LEFT_TOP(true, null),
  RIGHT_TOP(true, 1),
  RIGHT_BOTTOM(true, -1),
  LEFT_BOTTOM(true, 0);

  private static final int TAG = 0x0112;
  private static final int ENTRY = 12;
  private static final int BIG_ENDIAN = 'M' << 8 | 'M';

  private final boolean transposed;
  private final Integer flip; // as Core.flip takes it

  Orientation(boolean transposed, Integer flip) {
    this.transposed = transposed;
    this.flip = flip;
  }

  /**
   * Reads a TIFF structure as it lies in a JPEG's APP1 segment.
   *
   * @param bytes the whole file
   * @param at where the structure begins
   * @param end where its segment ends
   * @return upright where it says nothing, or nothing that is allowed
   */
  static Orientation of(byte[] bytes, int at, int end) {
    ByteBuffer tiff = ByteBuffer.wrap(bytes, at, Math.max(0, Math.min(end, bytes.length) - at)).slice();
    try {
      tiff.order(tiff.getShort(0) == BIG_ENDIAN ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
      int directory = tiff.getInt(4);
      int entries = tiff.getShort(directory) & 0xFFFF;
      for (int entry = directory + 2; entry < directory + 2 + entries * ENTRY; entry += ENTRY) {
        if ((tiff.getShort(entry) & 0xFFFF) == TAG) {
          int value = tiff.getShort(entry + 8) & 0xFFFF;
          return value >= 1 && value <= values().length ? values()[value - 1] : TOP_LEFT;
        }
      }
    } catch (IndexOutOfBoundsException e) {
      return TOP_LEFT; // a damaged tag is no reason to lose the image
    }
    return TOP_LEFT;
  }

  /**
   * Returns a stored image upright; the stored one is released if it isn't that already.
   *
   * @param stored as decoded
   */
  Mat upright(Mat stored) {
    Mat turned = stored;
    if (transposed) {
      turned = new Mat();
      Core.transpose(stored, turned);
      stored.release();
    }
    if (flip != null) {
      Core.flip(turned, turned, flip);
    }
    return turned;
  }
}
