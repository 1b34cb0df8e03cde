package dev.featx.image;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * What a JPEG's markers say without decoding it: its size, which way up it is, and whether its end is there.
 *
 * <p>libjpeg fills what is missing of a truncated file with grey and only warns, so a decoder would turn half an image
 * into a feature. Markers are walked rather than searched for from the end, because a thumbnail inside the file has an end
 * marker of its own (ITU-T T.81, annex B).
 *
 * @param width in pixels as stored, before any EXIF rotation; 0 if no frame header was met
 * @param height likewise
 * @param orientation how it comes upright
 * @param complete whether the end marker was met after the image's data
 */
record JpegStructure(int width, int height, Orientation orientation, boolean complete) {
  private static final int START = 0xD8;
  private static final int END = 0xD9;
  private static final int SCAN = 0xDA;
  private static final int APP1 = 0xE1;
  private static final byte[] EXIF = "Exif\0\0".getBytes(StandardCharsets.US_ASCII);

  /** Returns whether the bytes begin as a JPEG does. */
  static boolean isJpeg(byte[] bytes) {
    return bytes.length > 3 && (bytes[0] & 0xFF) == 0xFF && (bytes[1] & 0xFF) == START && (bytes[2] & 0xFF) == 0xFF;
  }

  /** Walks the markers of a file that {@link #isJpeg}. */
  static JpegStructure of(byte[] bytes) {
    int width = 0;
    int height = 0;
    Orientation orientation = Orientation.TOP_LEFT;
    int at = 2;
    while (at + 1 < bytes.length) {
      if ((bytes[at] & 0xFF) != 0xFF) {
        at++; // the data of a scan, or filling
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
      boolean alone = marker == 0 || marker == 1 || (marker >= 0xD0 && marker <= START);
      if (alone || at + 1 >= bytes.length) {
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
    int end = at + 2 + EXIF.length; // XMP lies in segments of this number too
    return marker == APP1 && end <= bytes.length && Arrays.equals(bytes, at + 2, end, EXIF, 0, EXIF.length);
  }

  private static boolean isFrame(int marker) {
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
  }

  private static int unsigned(byte[] bytes, int at) {
    return (bytes[at] & 0xFF) << 8 | bytes[at + 1] & 0xFF;
  }
}
