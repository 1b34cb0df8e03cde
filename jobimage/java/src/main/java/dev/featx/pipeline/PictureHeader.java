package dev.featx.pipeline;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Iterator;
import java.util.Locale;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/**
 * A picture's format and size, read before anything is decoded: a small file may hold a picture of gigabytes.
 *
 * @param format such as jpeg, png, gif, webp
 * @param width in pixels
 * @param height in pixels
 * @param orientation how what is stored comes upright
 */
record PictureHeader(String format, int width, int height, Orientation orientation) {
  static {
    ImageIO.setUseCache(false); // executors' disks are read-only
  }

  /** A picture that is stored upright. */
  PictureHeader(String format, int width, int height) {
    this(format, width, height, Orientation.TOP_LEFT);
  }

  /**
   * Reads the header.
   *
   * @throws PictureProblem NotAPicture or Truncated
   */
  static PictureHeader of(byte[] bytes) throws PictureProblem {
    if (bytes.length == 0) {
      throw new PictureProblem(PictureProblem.Stage.DECODE, "Empty", "the object has 0 bytes");
    }
    if (JpegStructure.isJpeg(bytes)) {
      return ofJpeg(bytes);
    }
    if (isWebp(bytes)) {
      return ofWebp(bytes);
    }
    try (ImageInputStream stream = ImageIO.createImageInputStream(new ByteArrayInputStream(bytes))) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(stream);
      if (!readers.hasNext()) {
        throw notAPicture(bytes);
      }
      ImageReader reader = readers.next();
      try {
        reader.setInput(stream, true, true);
        String format = reader.getFormatName().toLowerCase(Locale.ROOT);
        PictureHeader header = new PictureHeader(format, reader.getWidth(0), reader.getHeight(0));
        if (format.equals("png") && !endsAsPng(bytes)) {
          throw truncated(bytes);
        }
        return header;
      } finally {
        reader.dispose();
      }
    } catch (IOException | RuntimeException e) {
      throw new PictureProblem(PictureProblem.Stage.DECODE, "NotAPicture", "its header is damaged: " + e.getMessage());
    }
  }

  private static PictureHeader ofJpeg(byte[] bytes) throws PictureProblem {
    JpegStructure structure = JpegStructure.of(bytes);
    if (!structure.complete()) {
      throw truncated(bytes);
    }
    if (structure.width() == 0 || structure.height() == 0) {
      throw new PictureProblem(PictureProblem.Stage.DECODE, "NotAPicture", "a JPEG without a frame");
    }
    return new PictureHeader("jpeg", structure.width(), structure.height(), structure.orientation());
  }

  private static boolean isWebp(byte[] bytes) {
    return bytes.length > 30 && ascii(bytes, 0, 4).equals("RIFF") && ascii(bytes, 8, 4).equals("WEBP");
  }

  /** Sizes of the three kinds of WebP (RFC 9649, sections 2.5 to 2.7). */
  private static PictureHeader ofWebp(byte[] bytes) throws PictureProblem {
    return switch (ascii(bytes, 12, 4)) {
      case "VP8 " -> new PictureHeader("webp", little(bytes, 26, 2) & 0x3FFF, little(bytes, 28, 2) & 0x3FFF);
      case "VP8L" -> {
        int packed = little(bytes, 21, 4);
        yield new PictureHeader("webp", (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1);
      }
      case "VP8X" -> new PictureHeader("webp", little(bytes, 24, 3) + 1, little(bytes, 27, 3) + 1);
      default -> throw notAPicture(bytes);
    };
  }

  private static boolean endsAsPng(byte[] bytes) {
    for (int at = bytes.length - 8; at >= 8; at--) {
      if (bytes[at] == 'I' && bytes[at + 1] == 'E' && bytes[at + 2] == 'N' && bytes[at + 3] == 'D') {
        return true;
      }
    }
    return false;
  }

  private static PictureProblem truncated(byte[] bytes) {
    return new PictureProblem(PictureProblem.Stage.DECODE, "Truncated",
        "the file ends after " + bytes.length + " bytes, before its picture does: upload it again");
  }

  private static PictureProblem notAPicture(byte[] bytes) {
    return new PictureProblem(PictureProblem.Stage.DECODE, "NotAPicture",
        bytes.length + " bytes that are no JPEG, PNG, GIF, BMP, TIFF or WebP");
  }

  private static String ascii(byte[] bytes, int at, int length) {
    return new String(bytes, at, length, java.nio.charset.StandardCharsets.US_ASCII);
  }

  private static int little(byte[] bytes, int at, int length) {
    int value = 0;
    for (int i = length - 1; i >= 0; i--) {
      value = value << 8 | bytes[at + i] & 0xFF;
    }
    return value;
  }
}
