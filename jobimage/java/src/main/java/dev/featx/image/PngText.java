package dev.featx.image;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** EXIF that ImageMagick wrote into a PNG as hexadecimal text, before PNG had a chunk for it. */
final class PngText {
  private static final byte[] KEYWORD = "Raw profile type exif\0".getBytes(StandardCharsets.US_ASCII);
  private static final int LONGEST = 1 << 18; // bytes of text; EXIF has less than 64 KiB
  private static final int LINES_BEFORE = 3; // an empty one, the name and the length

  private PngText() {}

  /** Returns the EXIF of a tEXt or zTXt chunk, or null if it holds none. */
  static byte[] exif(String chunk, byte[] content) {
    boolean compressed = chunk.equals("zTXt");
    if (!(compressed || chunk.equals("tEXt")) || !Signature.startsWith(content, 0, KEYWORD)) {
      return null;
    }
    byte[] text = compressed ? inflated(content, KEYWORD.length + 1) : content;
    String profile = new String(text, StandardCharsets.ISO_8859_1).substring(compressed ? 0 : KEYWORD.length);
    String[] lines = profile.split("\n", LINES_BEFORE + 1);
    return lines.length <= LINES_BEFORE ? null : bytes(lines[LINES_BEFORE]);
  }

  private static byte[] inflated(byte[] content, int start) {
    Inflater inflater = new Inflater();
    try {
      inflater.setInput(content, start, Math.max(0, content.length - start));
      byte[] text = new byte[LONGEST];
      return Arrays.copyOf(text, inflater.inflate(text));
    } catch (DataFormatException e) {
      return new byte[0];
    } finally {
      inflater.end();
    }
  }

  private static byte[] bytes(String text) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(text.length() / 2);
    int high = -1;
    for (int i = 0; i < text.length() && i < LONGEST; i++) {
      int digit = Character.digit(text.charAt(i), 16);
      if (digit >= 0 && high >= 0) {
        bytes.write(high << 4 | digit);
        high = -1;
      } else if (digit >= 0) {
        high = digit;
      }
    }
    return bytes.toByteArray();
  }
}
