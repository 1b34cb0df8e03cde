package dev.featx.source;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What blocks before a member say of it: a pax header, or GNU's long names. */
final class TarExtras {
  /** Name of the member, or null. */
  byte[] name;
  /** Name that a link leads to, or null. */
  byte[] link;
  /** Bytes that are stored, or -1. */
  long size = -1;
  /** Size of a sparse member without its holes left out, or -1. */
  long sparseSize = -1;
  /** Offset and length of each part of a sparse member, or null if it is not sparse or its content begins with them. */
  List<Long> sparseMap;
  /** Whether the content of a sparse member begins with its map. */
  boolean mapInContent;
  private boolean namedAsSparse;

  /** Reads the records of a pax header: each its length, a blank, a keyword, an equals sign, a value and a newline. */
  void read(byte[] records) throws IOException {
    for (int start = 0; start < records.length && records[start] != 0;) {
      int blank = indexOf(records, ' ', start);
      int end = start + length(records, start, blank);
      int equals = indexOf(records, '=', blank);
      if (end > records.length || end <= equals) {
        throw new IOException("a pax header is damaged");
      }
      set(new String(records, blank + 1, equals - blank - 1, StandardCharsets.UTF_8), Arrays.copyOfRange(records, equals + 1, end - 1));
      start = end;
    }
  }

  private static int length(byte[] records, int start, int blank) throws IOException {
    long length = number(Arrays.copyOfRange(records, start, blank));
    if (length <= 0 || length > records.length) {
      throw new IOException("a pax header is damaged");
    }
    return (int) length;
  }

  private void set(String keyword, byte[] value) throws IOException {
    switch (keyword) {
      case "path" -> name = namedAsSparse ? name : value;
      case "linkpath" -> link = value;
      case "size" -> size = number(value);
      case "GNU.sparse.name" -> {
        name = value;
        namedAsSparse = true;
      }
      case "GNU.sparse.major" -> mapInContent = number(value) == 1;
      case "GNU.sparse.realsize", "GNU.sparse.size" -> sparseSize = number(value);
      case "GNU.sparse.map" -> {
        for (String one : new String(value, StandardCharsets.ISO_8859_1).split(",")) {
          addToMap(number(one.getBytes(StandardCharsets.ISO_8859_1)));
        }
      }
      case "GNU.sparse.offset", "GNU.sparse.numbytes" -> addToMap(number(value));
      default -> {
        // Such as times and owners.
      }
    }
  }

  private void addToMap(long value) throws IOException {
    sparseMap = sparseMap == null ? new ArrayList<>() : sparseMap;
    if (sparseMap.size() == 2 * TarReader.MOST_PARTS) {
      throw new IOException("a sparse member has more parts than the limit");
    }
    sparseMap.add(value);
  }

  private static int indexOf(byte[] bytes, char letter, int start) throws IOException {
    for (int i = start; i < bytes.length; i++) {
      if (bytes[i] == letter) {
        return i;
      }
    }
    throw new IOException("a pax header is damaged");
  }

  /** Returns a decimal number. */
  static long number(byte[] digits) throws IOException {
    try {
      long value = Long.parseLong(new String(digits, StandardCharsets.ISO_8859_1).strip());
      if (value >= 0) {
        return value;
      }
    } catch (NumberFormatException e) {
      // Thrown below.
    }
    throw new IOException("a number of a pax header is none");
  }
}
