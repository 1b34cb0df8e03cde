package dev.featx.image;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;

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
 * @param profile the ICC profile, or null
 */
record JpegStructure(int width, int height, Orientation orientation, boolean complete, byte[] profile) {
  private static final int START = 0xD8;
  private static final int END = 0xD9;
  private static final int APP1 = 0xE1;
  private static final int APP2 = 0xE2;
  private static final byte[] PROFILE = "ICC_PROFILE\0".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] EXIF = "Exif\0\0".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] XMP = "http://ns.adobe.com/xap/1.0/\0".getBytes(StandardCharsets.US_ASCII);

  /** Creates the structure of a file without an ICC profile. */
  JpegStructure(int width, int height, Orientation orientation, boolean complete) {
    this(width, height, orientation, complete, null);
  }

  /** Receives the segments of a file in order. */
  interface Visitor {
    /**
     * Called for each marker that has a segment.
     *
     * @param marker its second byte
     * @param at index of the segment's length
     */
    void segment(int marker, int at);
  }

  /** Returns whether the bytes start like a JPEG. */
  static boolean isJpeg(byte[] bytes) {
    return bytes.length > 3 && (bytes[0] & 0xFF) == 0xFF && (bytes[1] & 0xFF) == START && (bytes[2] & 0xFF) == 0xFF;
  }

  /** Walks the markers of a file for which {@link #isJpeg} is true. */
  static JpegStructure of(byte[] bytes) {
    int[] size = new int[2];
    ByteArrayOutputStream exif = new ByteArrayOutputStream(); // larger metadata continues in further segments
    byte[][] xmp = new byte[1][];
    Map<Integer, byte[]> profile = new TreeMap<>(); // in parts, by their numbers
    boolean complete = walk(bytes, (marker, at) -> {
      if (isFrame(marker) && size[0] == 0 && at + 6 < bytes.length) { // decoders refuse a second frame
        size[0] = unsigned(bytes, at + 5);
        size[1] = unsigned(bytes, at + 3);
      }
      int end = Math.min(bytes.length, at + unsigned(bytes, at));
      if (marker == APP1 && end > at + 2 && Signature.startsWith(bytes, at + 2, EXIF)) {
        exif.write(bytes, at + 2 + EXIF.length, Math.max(0, end - at - 2 - EXIF.length));
      } else if (marker == APP1 && end > at + 2 && Signature.startsWith(bytes, at + 2, XMP)) {
        xmp[0] = Arrays.copyOfRange(bytes, at + 2, end);
      } else if (marker == APP2 && end > at + PROFILE.length + 4 && Signature.startsWith(bytes, at + 2, PROFILE)) {
        profile.put(bytes[at + 2 + PROFILE.length] & 0xFF, Arrays.copyOfRange(bytes, at + PROFILE.length + 4, end));
      }
    });
    Orientation orientation = Orientation.of(exif.size() == 0 ? null : exif.toByteArray(), xmp[0]);
    return new JpegStructure(size[0], size[1], orientation, complete, joined(profile.values()));
  }

  private static byte[] joined(Collection<byte[]> parts) {
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    parts.forEach(whole::writeBytes);
    return parts.isEmpty() ? null : whole.toByteArray();
  }

  /** Walks the markers, and returns whether there is an end marker. */
  static boolean walk(byte[] bytes, Visitor visitor) {
    int at = 2;
    while (at + 1 < bytes.length) {
      if ((bytes[at] & 0xFF) != 0xFF) {
        at++; // scan data or padding
        continue;
      }
      int marker = bytes[at + 1] & 0xFF;
      if (marker == END) {
        return true;
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
      visitor.segment(marker, at);
      at += unsigned(bytes, at);
    }
    return false;
  }

  /** Returns whether a marker starts a frame header. */
  static boolean isFrame(int marker) {
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
  }

  /** Reads a big-endian number of two bytes. */
  static int unsigned(byte[] bytes, int at) {
    return (bytes[at] & 0xFF) << 8 | bytes[at + 1] & 0xFF;
  }
}
