package dev.featx.image;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** Tells an image that was cut from one that is damaged, by what its container says of its length. */
final class Truncation {
  private static final int BOX = 8; // length and name
  private static final int MOST_PADDING = 64 << 20; // bytes of the heap
  private static final int TRAILER = 0x3B; // of a GIF

  private Truncation() {}

  /** Returns whether a file that can't be decoded ends too early. */
  static boolean isCut(byte[] bytes, ImageFormat format) {
    return switch (format) {
      case WEBP -> !WebpStructure.of(bytes).complete();
      case GIF -> bytes[bytes.length - 1] != TRAILER;
      case AVIF, HEIC -> hasCutBox(bytes);
      case JPEG_2000 -> !Signature.startsWith(bytes, bytes.length - 2, "\u00FF\u00D9");
      case TIFF -> isCut(TiffDirectory.first(bytes, 0), bytes.length);
      case JPEG, PNG, BMP -> false; // their decoders know
    };
  }

  /** Returns a file with zeros in place of missing pixels, if its decoder reads nothing of one that is cut. */
  static byte[] padded(byte[] bytes, ImageFormat format) {
    return format == ImageFormat.TIFF ? padded(bytes, TiffDirectory.first(bytes, 0).end()) : bytes;
  }

  /** Returns a file with zeros up to a length, or as it is if more is missing than a file may lack. */
  static byte[] padded(byte[] bytes, long length) {
    return length > bytes.length && length - bytes.length <= MOST_PADDING ? Arrays.copyOf(bytes, (int) length) : bytes;
  }

  private static boolean isCut(TiffDirectory directory, int length) {
    return directory == null || directory.isEmpty() || directory.end() > length;
  }

  private static boolean hasCutBox(byte[] bytes) {
    ByteBuffer data = ByteBuffer.wrap(bytes);
    long at = 0;
    while (at + BOX <= bytes.length) {
      long length = data.getInt((int) at) & 0xFFFFFFFFL;
      if (length == 0) {
        return false; // to the end of the file
      }
      at += Math.max(BOX, length);
    }
    return at != bytes.length;
  }
}
