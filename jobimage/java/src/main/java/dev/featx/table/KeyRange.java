package dev.featx.table;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The smallest and largest key of a file's rows, in the order of their UTF-8 bytes, as in Delta Lake's statistics.
 *
 * @param first the smallest key, or null for a file without rows
 * @param last the largest
 */
public record KeyRange(String first, String last) implements Serializable {
  static final KeyRange NONE = new KeyRange(null, null);

  KeyRange with(String key) {
    return new KeyRange(first == null || compare(key, first) < 0 ? key : first, last == null || compare(key, last) > 0 ? key : last);
  }

  private static int compare(String left, String right) {
    return Arrays.compareUnsigned(left.getBytes(StandardCharsets.UTF_8), right.getBytes(StandardCharsets.UTF_8));
  }
}
