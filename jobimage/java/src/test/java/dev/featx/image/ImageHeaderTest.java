package dev.featx.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.failure.QuarantineReason;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

/** An image's properties, read before decoding. */
class ImageHeaderTest {
  private static byte[] encoded(String format, int width, int height) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    assertTrue(ImageIO.write(new BufferedImage(width, height, BufferedImage.TYPE_3BYTE_BGR), format, bytes));
    return bytes.toByteArray();
  }

  @Test
  void sizesAreReadInAllFormats() throws Exception {
    for (String format : new String[] {"jpeg", "png", "gif", "bmp", "tiff"}) {
      ImageFormat expected = ImageFormat.valueOf(format.toUpperCase(Locale.ROOT));
      assertEquals(new ImageHeader(expected, 37, 21), ImageHeader.of(encoded(format, 37, 21)));
    }
  }

  @Test
  void theSizeOfALossyWebpIsRead() throws Exception {
    byte[] bytes = new byte[40];
    System.arraycopy("RIFF\0\0\0\0WEBPVP8 ".getBytes(StandardCharsets.ISO_8859_1), 0, bytes, 0, 16);
    bytes[26] = 0x2A;
    bytes[27] = 0x01;
    bytes[28] = 0x10;
    assertEquals(new ImageHeader(ImageFormat.WEBP, 0x12A, 0x10), ImageHeader.of(bytes));
  }

  @Test
  void emptyObjectsAndTextAreNotImages() {
    assertEquals(QuarantineReason.EMPTY, assertThrows(ImageProblem.class, () -> ImageHeader.of(new byte[0])).reason());
    byte[] text = "not an image at all".getBytes(StandardCharsets.UTF_8);
    assertEquals(QuarantineReason.NOT_AN_IMAGE, assertThrows(ImageProblem.class, () -> ImageHeader.of(text)).reason());
  }

  @Test
  void aFileTruncatedAnywhereIsRejected() throws Exception {
    for (String format : new String[] {"jpeg", "png"}) {
      byte[] whole = encoded(format, 64, 64);
      for (int length = 1; length < whole.length - 8; length += 7) {
        byte[] cut = Arrays.copyOf(whole, length);
        assertThrows(ImageProblem.class, () -> Decoder.decode(cut, ImageHeader.of(cut), Decoding.DEFAULT),
            format + " cut to " + length);
      }
    }
  }

  @Test
  void aThumbnailsEndIsNotTheImagesEnd() throws Exception {
    byte[] thumbnail = encoded("jpeg", 8, 8);
    byte[] image = encoded("jpeg", 64, 64);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.write(image, 0, 2);
    int length = thumbnail.length + 2;
    bytes.write(new byte[] {(byte) 0xFF, (byte) 0xE1, (byte) (length >> 8), (byte) length});
    bytes.write(thumbnail);
    bytes.write(image, 2, image.length - 2);
    byte[] whole = bytes.toByteArray();
    assertEquals(new JpegStructure(64, 64, Orientation.TOP_LEFT, true), JpegStructure.of(whole));
    assertFalse(JpegStructure.of(Arrays.copyOf(whole, whole.length - 40)).complete());
  }

  @Test
  void bytesAfterTheEndOfAJpegAreIgnored() throws Exception {
    byte[] image = encoded("jpeg", 16, 16);
    assertTrue(JpegStructure.of(Arrays.copyOf(image, image.length + 100)).complete());
  }
}
