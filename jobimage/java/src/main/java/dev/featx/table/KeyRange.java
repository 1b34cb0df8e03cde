package dev.featx.table;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Between which keys a file's rows lie, in the order of their UTF-8 bytes, which is that of Delta Lake's statistics.
 *
 * @param first the smallest key, or null of a file without rows
 * @param last the largest
 */
public record KeyRange(String first, String last) implements Serializable {
  static final KeyRange NONE = new KeyRange(null, null);

  KeyRange with(String key) {
    return new KeyRange(first == null || compare(key, first) < 0 ? key : first, last == null || compare(key, last) > 0 ? key : last);
  }

  private static int compare(String one, String other) {
    return Arrays.compareUnsigned(one.getBytes(StandardCharsets.UTF_8), other.getBytes(StandardCharsets.UTF_8));
  }
}
