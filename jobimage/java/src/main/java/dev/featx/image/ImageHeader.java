package dev.featx.image;

import dev.featx.failure.QuarantineReason;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Iterator;
import java.util.Locale;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/**
 * An image's format and size, read before decoding: a small file may decode to gigabytes.
 *
 * @param format such as jpeg, png, gif, webp
 * @param width in pixels
 * @param height in pixels
 * @param orientation of the stored image
 */
public record ImageHeader(String format, int width, int height, Orientation orientation) {
  static {
    ImageIO.setUseCache(false); // executors' disks are read-only
  }

  /** Creates the header of an image stored upright. */
  ImageHeader(String format, int width, int height) {
    this(format, width, height, Orientation.TOP_LEFT);
  }

  /**
   * Reads the header.
   *
   * @throws ImageProblem NotAnImage or Truncated
   */
  public static ImageHeader of(byte[] bytes) throws ImageProblem {
    if (bytes.length == 0) {
      throw new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.EMPTY, "the object has 0 bytes");
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
        throw notAnImage(bytes);
      }
      ImageReader reader = readers.next();
      try {
        reader.setInput(stream, true, true);
        String format = reader.getFormatName().toLowerCase(Locale.ROOT);
        ImageHeader header = new ImageHeader(format, reader.getWidth(0), reader.getHeight(0));
        if (format.equals("png") && !endsAsPng(bytes)) {
          throw truncated(bytes);
        }
        return header;
      } finally {
        reader.dispose();
      }
    } catch (IOException | RuntimeException e) {
      throw new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.NOT_AN_IMAGE, "the header is damaged");
    }
  }

  private static ImageHeader ofJpeg(byte[] bytes) throws ImageProblem {
    JpegStructure structure = JpegStructure.of(bytes);
    if (!structure.complete()) {
      throw truncated(bytes);
    }
    if (structure.width() == 0 || structure.height() == 0) {
      throw new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.NOT_AN_IMAGE, "JPEG has no frame header");
    }
    return new ImageHeader("jpeg", structure.width(), structure.height(), structure.orientation());
  }

  private static boolean isWebp(byte[] bytes) {
    return bytes.length > 30 && ascii(bytes, 0, 4).equals("RIFF") && ascii(bytes, 8, 4).equals("WEBP");
  }

  /** Reads the size from the three kinds of WebP (RFC 9649, sections 2.5 to 2.7). */
  private static ImageHeader ofWebp(byte[] bytes) throws ImageProblem {
    return switch (ascii(bytes, 12, 4)) {
      case "VP8 " -> new ImageHeader("webp", little(bytes, 26, 2) & 0x3FFF, little(bytes, 28, 2) & 0x3FFF);
      case "VP8L" -> {
        int packed = little(bytes, 21, 4);
        yield new ImageHeader("webp", (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1);
      }
      case "VP8X" -> new ImageHeader("webp", little(bytes, 24, 3) + 1, little(bytes, 27, 3) + 1);
      default -> throw notAnImage(bytes);
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

  private static ImageProblem truncated(byte[] bytes) {
    return new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.TRUNCATED,
        "the file ends after " + bytes.length + " bytes, before its image does; upload it again");
  }

  private static ImageProblem notAnImage(byte[] bytes) {
    return new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.NOT_AN_IMAGE,
        bytes.length + " bytes that are not a JPEG, PNG, GIF, BMP, TIFF or WebP");
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
