package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Set;

/** The format of an image, by its first bytes. */
final class Signature {
  private static final byte[] JPEG_2000 = {0, 0, 0, 12, 'j', 'P', ' ', ' ', '\r', '\n', (byte) 0x87, '\n'};
  private static final byte[] JPEG_2000_STREAM = {(byte) 0xFF, 0x4F, (byte) 0xFF, 0x51};
  private static final Set<String> AVIF = Set.of("avif", "avis");
  private static final Set<String> HEIC = Set.of("heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs");
  private static final Set<String> HEIF = Set.of("mif1", "mif2", "msf1", "miaf");

  private Signature() {}

  /** Returns the format, or null if it is none that executors decode. */
  static ImageFormat of(byte[] bytes) {
    if (JpegStructure.isJpeg(bytes)) {
      return ImageFormat.JPEG;
    }
    if (PngStructure.isPng(bytes)) {
      return ImageFormat.PNG;
    }
    if (startsWith(bytes, 0, "GIF87a") || startsWith(bytes, 0, "GIF89a")) {
      return ImageFormat.GIF;
    }
    if (startsWith(bytes, 0, "RIFF") && startsWith(bytes, 8, "WEBP")) {
      return ImageFormat.WEBP;
    }
    if (isTiff(bytes)) {
      return ImageFormat.TIFF;
    }
    if (BmpHeader.isBmp(bytes)) {
      return ImageFormat.BMP;
    }
    if (startsWith(bytes, 0, JPEG_2000) || startsWith(bytes, 0, JPEG_2000_STREAM)) {
      return ImageFormat.JPEG_2000;
    }
    return startsWith(bytes, 4, "ftyp") ? ofBrands(bytes) : null;
  }

  private static boolean isTiff(byte[] bytes) {
    boolean tiff = startsWith(bytes, 0, "II*\0") || startsWith(bytes, 0, "MM\0*") || startsWith(bytes, 0, "II+\0")
        || startsWith(bytes, 0, "MM\0+");
    return tiff && !startsWith(bytes, 8, "CR"); // Canon's raw files are named by Content
  }

  /** Reads the brands of an ISO base media file: the major one, then those that it is compatible with. */
  private static ImageFormat ofBrands(byte[] bytes) {
    int end = Math.min(bytes.length, Math.max(16, ByteBuffer.wrap(bytes).getInt(0)));
    ImageFormat format = null;
    for (int at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) {
      String brand = new String(bytes, at, 4, StandardCharsets.ISO_8859_1);
      if (AVIF.contains(brand) || HEIC.contains(brand)) {
        return AVIF.contains(brand) ? ImageFormat.AVIF : ImageFormat.HEIC;
      }
      if (HEIF.contains(brand)) {
        format = ImageFormat.HEIC;
      } else if (at == 8) {
        return null; // a video or a camera's raw file
      }
    }
    return format;
  }

  static boolean startsWith(byte[] bytes, int at, String prefix) {
    return startsWith(bytes, at, prefix.getBytes(StandardCharsets.ISO_8859_1));
  }

  /** Returns whether bytes hold a prefix at an offset. */
  static boolean startsWith(byte[] bytes, int at, byte[] prefix) {
    return at >= 0 && bytes.length - at >= prefix.length && Arrays.equals(bytes, at, at + prefix.length, prefix, 0, prefix.length);
  }
}
