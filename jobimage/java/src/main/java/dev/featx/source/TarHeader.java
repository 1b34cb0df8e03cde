package dev.featx.source;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A block of a tar that begins a member, in any of its dialects: v7, ustar, GNU, pax, star.
 *
 * @param name as bytes: a tar does not say in what encoding
 * @param type a letter or digit; NUL in the oldest ones
 * @param size of what is stored, in bytes
 * @param link name of the member that a link leads to
 * @param block the whole block
 */
record TarHeader(byte[] name, char type, long size, byte[] link, byte[] block) {
  /** Bytes of a block. */
  static final int BLOCK = 512;

  private static final int CHECKSUM = 148;
  private static final int CHECKSUM_LENGTH = 8;
  private static final byte[] USTAR = {'u', 's', 't', 'a', 'r', 0};

  /** Returns whether a block begins a member: it holds the sum of its bytes, which some writers take for signed ones. */
  static boolean isHeader(byte[] block) {
    long unsigned = 0;
    long signed = 0;
    for (int i = 0; i < BLOCK; i++) {
      byte value = i >= CHECKSUM && i < CHECKSUM + CHECKSUM_LENGTH ? (byte) ' ' : block[i];
      unsigned += value & 0xff;
      signed += value;
    }
    try {
      long stored = number(block, CHECKSUM, CHECKSUM_LENGTH);
      return stored == unsigned || stored == signed;
    } catch (IOException e) {
      return false;
    }
  }

  /** Returns whether a block has only zeros, as those at the end of a tar. */
  static boolean isZero(byte[] block) {
    for (byte value : block) {
      if (value != 0) {
        return false;
      }
    }
    return true;
  }

  /** Reads a block for which {@link #isHeader} is true. */
  static TarHeader of(byte[] block) throws IOException {
    byte[] name = text(block, 0, 100);
    if (Arrays.equals(block, 257, 263, USTAR, 0, USTAR.length)) { // GNU's, "ustar  ", have other fields there
      boolean star = block[508] == 't' && block[509] == 'a' && block[510] == 'r' && block[511] == 0;
      byte[] prefix = text(block, 345, star ? 131 : 155);
      if (prefix.length > 0) {
        byte[] whole = Arrays.copyOf(prefix, prefix.length + 1 + name.length);
        whole[prefix.length] = '/';
        System.arraycopy(name, 0, whole, prefix.length + 1, name.length);
        name = whole;
      }
    }
    return new TarHeader(name, (char) (block[156] & 0xff), number(block, 124, 12), text(block, 157, 100), block);
  }

  /** Returns bytes up to a NUL. */
  static byte[] text(byte[] block, int start, int length) {
    int end = start;
    while (end < start + length && block[end] != 0) {
      end++;
    }
    return Arrays.copyOfRange(block, start, end);
  }

  /** Returns a number: octal digits, or in base 256 if its first bit is set. */
  static long number(byte[] block, int start, int length) throws IOException {
    long value = 0;
    if (block[start] < 0) {
      for (int i = start; i < start + length; i++) {
        if (value > Long.MAX_VALUE >> 9) {
          throw new IOException("a number of the header is too large");
        }
        value = value << 8 | (i == start ? block[i] & 0x7f : block[i] & 0xff);
      }
      return value;
    }
    String digits = new String(text(block, start, length), StandardCharsets.ISO_8859_1).strip();
    try {
      value = digits.isEmpty() ? 0 : Long.parseLong(digits, 8);
    } catch (NumberFormatException e) {
      value = -1;
    }
    if (value < 0) {
      throw new IOException("a number of the header is none");
    }
    return value;
  }
}
