package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The size and orientation of a WebP, read from its chunks (RFC 9649): libvips allocates the canvas when it opens a file.
 *
 * @param width in pixels; 0 without a header
 * @param height in pixels; 0 without a header
 * @param orientation of the stored image
 * @param complete whether the file has the length that it states
 */
record WebpStructure(int width, int height, Orientation orientation, boolean complete) {
  private static final int FIRST_CHUNK = 12;
  private static final int EXIF = 8; // flags of metadata that counts
  private static final int XMP = 4;
  private static final int HEADER = 30; // of the longest of the three kinds

  static WebpStructure of(byte[] bytes) {
    ByteBuffer data = ByteBuffer.wrap(Arrays.copyOf(bytes, Math.max(HEADER, bytes.length))).order(ByteOrder.LITTLE_ENDIAN);
    byte[] exif = null;
    byte[] xmp = null;
    long at = FIRST_CHUNK;
    int flags = Signature.startsWith(bytes, FIRST_CHUNK, "VP8X") ? data.get(20) : 0;
    long riff = Math.min(bytes.length, (data.getInt(4) & 0xFFFFFFFFL) + 8);
    while (flags != 0 && at + 8 <= riff) {
      int start = (int) at + 8;
      long length = data.getInt(start - 4) & 0xFFFFFFFFL;
      int end = (int) Math.min(bytes.length, start + length);
      if (exif == null && (flags & EXIF) != 0 && Signature.startsWith(bytes, (int) at, "EXIF")) {
        exif = Arrays.copyOfRange(bytes, start, end);
      }
      if (xmp == null && (flags & XMP) != 0 && Signature.startsWith(bytes, (int) at, "XMP ")) {
        xmp = Arrays.copyOfRange(bytes, start, end);
      }
      at = start + length + length % 2;
    }
    Orientation orientation = Orientation.of(exif, xmp);
    boolean complete = bytes.length >= (data.getInt(4) & 0xFFFFFFFFL) + 8;
    if (Signature.startsWith(bytes, FIRST_CHUNK, "VP8 ")) {
      return new WebpStructure(data.getShort(26) & 0x3FFF, data.getShort(28) & 0x3FFF, orientation, complete);
    }
    if (Signature.startsWith(bytes, FIRST_CHUNK, "VP8L")) {
      int packed = data.getInt(21);
      return new WebpStructure((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1, orientation, complete);
    }
    boolean extended = Signature.startsWith(bytes, FIRST_CHUNK, "VP8X");
    return new WebpStructure(extended ? (data.getInt(24) & 0xFFFFFF) + 1 : 0, extended ? (data.getInt(26) >>> 8) + 1 : 0, orientation,
        complete);
  }
}
