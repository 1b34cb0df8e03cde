package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** What libvips does not say of a JPEG 2000: whether its channels are luma and chroma (ISO/IEC 15444-1, annexes A and I). */
final class Jpeg2000 {
  private static final int HEAD = 1 << 16;
  private static final int SYCC = 18; // enumerated colour space
  private static final int COMPONENTS = 42; // from the start of the codestream

  private Jpeg2000() {}

  /** Returns whether pixels are luma and chroma of equal resolution; libvips converts only those of different ones. */
  static boolean hasLuma(byte[] bytes) {
    int colour = indexOf(bytes, "colr");
    int size = indexOf(bytes, "\u00FF\u004F\u00FF\u0051");
    if (colour < 0 || size < 0 || size + COMPONENTS + 9 > bytes.length) {
      return false;
    }
    ByteBuffer data = ByteBuffer.wrap(bytes);
    boolean enumerated = bytes[colour + 4] == 1 && data.getInt(colour + 7) == SYCC;
    boolean subsampled = false;
    for (int i = 0; i < 3; i++) {
      int component = size + COMPONENTS + 3 * i;
      subsampled |= bytes[component + 1] != 1 || bytes[component + 2] != 1;
    }
    return enumerated && !subsampled;
  }

  private static int indexOf(byte[] bytes, String text) {
    byte[] name = text.getBytes(StandardCharsets.ISO_8859_1);
    for (int at = 0; at < Math.min(HEAD, bytes.length - COMPONENTS); at++) {
      if (Signature.startsWith(bytes, at, name)) {
        return at;
      }
    }
    return -1;
  }
}
