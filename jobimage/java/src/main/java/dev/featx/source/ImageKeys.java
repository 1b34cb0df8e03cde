package dev.featx.source;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.HexFormat;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How a name becomes an image's key: the one rule for files, objects, rows and members of archives.
 *
 * <p>A key is text and a name is bytes. UTF-8 stays as it is, and {@code \xNN} stands for a byte that is a control character
 * or not UTF-8, as in the HBase shell. A backslash that would begin such a sequence is {@code \x5C}. So every name has one
 * key, and every key leads back to its name. featx_job/source/keys.py does the same.
 *
 * <p>Hadoop's paths are text too. In them, a lone surrogate U+DC80 to U+DCFF stands for a byte that is not UTF-8, as in
 * Python; {@link LocalFiles} understands it.
 */
final class ImageKeys {
  private static final Pattern ESCAPED = Pattern.compile("\\\\x([0-9A-Fa-f]{2})");
  private static final Pattern AMBIGUOUS = Pattern.compile("[\\x00-\\x1f\\x7f]|\\\\(?=x[0-9A-Fa-f]{2})");
  private static final char BYTE = '\uDC00'; // plus the byte

  private ImageKeys() {}

  /** Returns the key of a name. */
  static String of(byte[] name) {
    StringBuilder key = new StringBuilder();
    Matcher match = AMBIGUOUS.matcher(decode(name));
    while (match.find()) {
      match.appendReplacement(key, Matcher.quoteReplacement(escape((byte) match.group().charAt(0))));
    }
    match.appendTail(key);
    for (int i = key.length() - 1; i >= 0; i--) {
      if (isByte(key, i)) {
        key.replace(i, i + 1, escape((byte) key.charAt(i)));
      }
    }
    return key.toString();
  }

  /** Returns the name of a key. */
  static byte[] bytes(String key) {
    ByteArrayOutputStream name = new ByteArrayOutputStream();
    Matcher match = ESCAPED.matcher(key);
    int end = 0;
    for (; match.find(); end = match.end()) {
      name.writeBytes(key.substring(end, match.start()).getBytes(StandardCharsets.UTF_8));
      name.write(HexFormat.fromHexDigits(match.group(1)));
    }
    name.writeBytes(key.substring(end).getBytes(StandardCharsets.UTF_8));
    return name.toByteArray();
  }

  /** Returns the name of a key, as Hadoop's paths have it. */
  static String path(String key) {
    return decode(bytes(key));
  }

  /** Returns the bytes of a path as {@link #path} returns it. */
  static byte[] pathBytes(String path) {
    ByteArrayOutputStream name = new ByteArrayOutputStream();
    int end = 0;
    for (int i = 0; i < path.length(); i++) {
      if (isByte(path, i)) {
        name.writeBytes(path.substring(end, i).getBytes(StandardCharsets.UTF_8));
        name.write(path.charAt(i) - BYTE);
        end = i + 1;
      }
    }
    name.writeBytes(path.substring(end).getBytes(StandardCharsets.UTF_8));
    return name.toByteArray();
  }

  /** Returns a key as globs are compared with it: featx_job/source/globs.py makes regular expressions of them. */
  static String folded(String key) {
    return Normalizer.normalize(key.toLowerCase(Locale.ROOT), Normalizer.Form.NFC).replace('ς', 'σ');
  }

  /** Returns the text of a name, with lone surrogates for bytes that are not UTF-8. */
  private static String decode(byte[] name) {
    ByteBuffer bytes = ByteBuffer.wrap(name);
    CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT);
    CharBuffer text = CharBuffer.allocate(name.length);
    while (true) {
      CoderResult result = decoder.decode(bytes, text, true);
      if (!result.isError()) {
        return text.flip().toString();
      }
      for (int i = 0; i < result.length(); i++) {
        text.put((char) (BYTE + (bytes.get() & 0xFF)));
      }
      decoder.reset();
    }
  }

  private static boolean isByte(CharSequence text, int at) {
    char letter = text.charAt(at);
    return letter >= '\uDC80' && letter <= '\uDCFF' && (at == 0 || !Character.isHighSurrogate(text.charAt(at - 1)));
  }

  private static String escape(byte value) {
    return String.format("\\x%02X", value);
  }
}
