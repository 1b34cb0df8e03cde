package dev.featx.image;

import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
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
  private static final byte[] PREFIX = "Exif\0\0".getBytes(StandardCharsets.US_ASCII);
  private static final Pattern XMP = Pattern.compile("tiff:Orientation(?:=\"|>)([0-9])");

  private final boolean transposed;
  private final Integer flip; // code for Core.flip

  Orientation(boolean transposed, Integer flip) {
    this.transposed = transposed;
    this.flip = flip;
  }

  /**
   * Reads the orientation from an image's metadata, by the rules of Pillow's ImageOps.exif_transpose.
   *
   * @param exif a TIFF structure, with or without the prefix of JPEG's segments; or null
   * @param xmp a document that decides if EXIF has no orientation; or null
   * @return TOP_LEFT if it is missing or invalid
   */
  static Orientation of(byte[] exif, byte[] xmp) {
    Integer value = exif == null ? null : inExif(exif);
    if (value == null && xmp != null) {
      Matcher matcher = XMP.matcher(new String(xmp, StandardCharsets.ISO_8859_1));
      value = matcher.find() ? Integer.valueOf(matcher.group(1)) : null;
    }
    return value == null || value < 1 || value > values().length ? TOP_LEFT : values()[value - 1];
  }

  /** Returns whether EXIF has an orientation, of whatever value. */
  static boolean isIn(byte[] exif) {
    return inExif(exif) != null;
  }

  /** Returns the tag's value, 0 if it is no integer, or null without the tag. */
  private static Integer inExif(byte[] exif) {
    int start = Signature.startsWith(exif, 0, PREFIX) ? PREFIX.length : 0;
    TiffDirectory directory = TiffDirectory.first(exif, start);
    return directory == null ? null : directory.integer(TAG);
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
