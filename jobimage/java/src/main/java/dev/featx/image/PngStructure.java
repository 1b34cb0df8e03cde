package dev.featx.image;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Set;
import java.util.zip.CRC32;

/**
 * What a PNG's chunks say, read without decoding (PNG specification, third edition, section 11).
 *
 * <p>Decoders disagree on damaged chunks that hold no pixels: some refuse the file, some ignore them. Here they are left out
 * before decoding, and a missing end marker is added, since neither concerns the picture.
 *
 * @param width in pixels
 * @param height in pixels
 * @param transparent whether pixels may be transparent
 * @param orientation of the stored image
 * @param complete whether there is an end marker
 * @param decodable the file, with an end marker and without damaged chunks that hold no pixels
 */
record PngStructure(int width, int height, boolean transparent, Orientation orientation, boolean complete, byte[] decodable) {
  private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  private static final byte[] END = {0, 0, 0, 0, 'I', 'E', 'N', 'D', (byte) 0xAE, 0x42, 0x60, (byte) 0x82};
  private static final byte[] XMP = "XML:com.adobe.xmp\0\0\0".getBytes(StandardCharsets.US_ASCII);
  private static final Set<String> PIXELS = Set.of("IHDR", "PLTE", "tRNS", "IDAT");
  private static final int FRAME = 12; // length, name and check sum of a chunk
  private static final int ALPHA = 4; // bit of the colour type

  static boolean isPng(byte[] bytes) {
    return Signature.startsWith(bytes, 0, SIGNATURE);
  }

  /** Walks the chunks of a file for which {@link #isPng} is true; the size is 0 without a header. */
  static PngStructure of(byte[] bytes) {
    ByteBuffer data = ByteBuffer.wrap(bytes);
    ByteArrayOutputStream decodable = new ByteArrayOutputStream(bytes.length + END.length);
    decodable.write(bytes, 0, SIGNATURE.length);
    int width = 0;
    int height = 0;
    boolean transparent = false;
    boolean complete = false;
    byte[] alpha = new byte[0];
    byte[] exif = null;
    byte[] xmp = null;
    int at = SIGNATURE.length;
    while (at + 8 <= bytes.length) {
      int length = data.getInt(at);
      String name = new String(bytes, at + 4, 4, StandardCharsets.US_ASCII);
      int start = at + 8;
      boolean cut = length < 0 || length > bytes.length - start - Integer.BYTES;
      if (name.equals("IEND")) {
        complete = true;
        break;
      }
      if (cut) {
        if (name.equals("IDAT")) {
          decodable.writeBytes(alpha);
          decodable.write(bytes, at, bytes.length - at); // the decoder finds how many pixels are there
        }
        break;
      }
      if (name.equals("IHDR") && length >= 13) {
        width = Math.max(0, data.getInt(start));
        height = Math.max(0, data.getInt(start + 4));
        transparent = (bytes[start + 9] & ALPHA) != 0;
      }
      boolean intact = PIXELS.contains(name) || isIntact(data, at, length);
      if (intact) {
        transparent |= name.equals("tRNS");
        byte[] content = Arrays.copyOfRange(bytes, start, start + length);
        exif = name.equals("eXIf") ? content : exif == null ? PngText.exif(name, content) : exif;
        xmp = name.equals("iTXt") && Signature.startsWith(bytes, start, XMP) ? content : xmp;
      }
      if (name.equals("tRNS")) {
        alpha = Arrays.copyOfRange(bytes, at, start + length + Integer.BYTES); // must follow the palette, wherever it was
      } else if (PIXELS.contains(name) || intact && name.equals("iCCP")) {
        decodable.writeBytes(name.equals("IDAT") ? alpha : new byte[0]);
        alpha = name.equals("IDAT") ? new byte[0] : alpha;
        decodable.write(bytes, at, length + FRAME);
      }
      at = start + length + Integer.BYTES;
    }
    complete |= Signature.startsWith(bytes, bytes.length - END.length, END); // or a part is missing before it
    decodable.writeBytes(END);
    return new PngStructure(width, height, transparent, Orientation.of(exif, xmp), complete, decodable.toByteArray());
  }

  private static boolean isIntact(ByteBuffer data, int at, int length) {
    CRC32 sum = new CRC32();
    sum.update(data.array(), at + 4, length + 4);
    return (int) sum.getValue() == data.getInt(at + 8 + length);
  }
}
