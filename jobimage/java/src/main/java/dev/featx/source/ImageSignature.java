package dev.featx.source;

import java.nio.charset.StandardCharsets;
import java.util.Set;

/** Recognizes images by their first bytes, whether or not this build decodes them. */
final class ImageSignature {
  private static final Set<String> BRANDS = Set.of("avif", "avis", "heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1");

  private ImageSignature() {}

  /** Returns whether a file that starts with these bytes is an image. */
  static boolean matches(byte[] head) {
    String start = new String(head, StandardCharsets.ISO_8859_1);
    return start.startsWith("\u00ff\u00d8\u00ff") || start.startsWith("\u0089PNG\r\n\u001a\n")
        || start.startsWith("GIF87a") || start.startsWith("GIF89a")
        || start.startsWith("II*\0") || start.startsWith("MM\0*")
        || start.startsWith("RIFF") && start.startsWith("WEBP", 8)
        || start.startsWith("BM") && start.startsWith("\0\0\0\0", 6)
        || start.startsWith("ftyp", 4) && start.length() >= 12 && BRANDS.contains(start.substring(8, 12))
        || start.startsWith("\0\0\0\u000cjP  \r\n\u0087\n") || start.startsWith("\u00ff\u004f\u00ff\u0051");
  }
}
