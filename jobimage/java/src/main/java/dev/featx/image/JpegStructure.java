package dev.featx.image;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The size, orientation and completeness of a JPEG, read from its markers without decoding.
 *
 * <p>libjpeg fills the missing part of a truncated file with grey and only warns, so a decoder would turn half an image
 * into a feature. Markers are walked rather than searched for from the end, because a thumbnail inside the file has its own
 * end marker (ITU-T T.81, annex B).
 *
 * @param width in pixels as stored, before any EXIF rotation; 0 without a frame header
 * @param height in pixels as stored; 0 without a frame header
 * @param orientation of the stored image
 * @param complete whether an end marker follows the image's data
 */
record JpegStructure(int width, int height, Orientation orientation, boolean complete) {
  private static final int START = 0xD8;
  private static final int END = 0xD9;
  private static final int SCAN = 0xDA;
  private static final int APP1 = 0xE1;
  private static final byte[] EXIF = "Exif\0\0".getBytes(StandardCharsets.US_ASCII);

  /** Returns whether the bytes start like a JPEG. */
  static boolean isJpeg(byte[] bytes) {
    return bytes.length > 3 && (bytes[0] & 0xFF) == 0xFF && (bytes[1] & 0xFF) == START && (bytes[2] & 0xFF) == 0xFF;
  }

  /** Walks the markers of a file for which {@link #isJpeg} is true. */
  static JpegStructure of(byte[] bytes) {
    int width = 0;
    int height = 0;
    Orientation orientation = Orientation.TOP_LEFT;
    int at = 2;
    while (at + 1 < bytes.length) {
      if ((bytes[at] & 0xFF) != 0xFF) {
        at++; // scan data or padding
        continue;
      }
      int marker = bytes[at + 1] & 0xFF;
      if (marker == END) {
        return new JpegStructure(width, height, orientation, true);
      }
      if (marker == 0xFF) {
        at++;
        continue;
      }
      at += 2;
      boolean standalone = marker == 0 || marker == 1 || (marker >= 0xD0 && marker <= START);
      if (standalone || at + 1 >= bytes.length) {
        continue;
      }
      if (isFrame(marker) && at + 6 < bytes.length) {
        height = unsigned(bytes, at + 3);
        width = unsigned(bytes, at + 5);
      }
      if (isExif(bytes, marker, at)) {
        orientation = Orientation.of(bytes, at + 2 + EXIF.length, at + unsigned(bytes, at));
      }
      at += unsigned(bytes, at);
      if (marker == SCAN && at >= bytes.length) {
        break;
      }
    }
    return new JpegStructure(width, height, orientation, false);
  }

  private static boolean isExif(byte[] bytes, int marker, int at) {
    int end = at + 2 + EXIF.length; // APP1 segments may contain XMP instead
    return marker == APP1 && end <= bytes.length && Arrays.equals(bytes, at + 2, end, EXIF, 0, EXIF.length);
  }

  private static boolean isFrame(int marker) {
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
  }

  private static int unsigned(byte[] bytes, int at) {
    return (bytes[at] & 0xFF) << 8 | bytes[at + 1] & 0xFF;
  }
}
