package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.opencv.core.Core;
import org.opencv.core.Mat;

/**
 * The orientation of a stored image, and how to turn it upright (Exif 2.32, tag 0x0112).
 *
 * <p>Constants name the edges to which the stored image's first row and first column belong.
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
  private final Integer flip; // code for Core.flip

  Orientation(boolean transposed, Integer flip) {
    this.transposed = transposed;
    this.flip = flip;
  }

  /**
   * Reads the orientation from a TIFF structure in a JPEG's APP1 segment.
   *
   * @param bytes the whole file
   * @param at start of the structure
   * @param end end of the segment
   * @return TOP_LEFT if the tag is missing or invalid
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
   * Returns an image turned upright; if that takes a copy, the stored image is released.
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
