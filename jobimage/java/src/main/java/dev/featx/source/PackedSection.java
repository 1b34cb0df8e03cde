package dev.featx.source;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.databind.JsonNode;

/**
 * One of several equal parts of a file's rows.
 *
 * @param number of the part, from 0
 * @param count of all parts
 */
@JsonFormat(shape = JsonFormat.Shape.ARRAY)
record PackedSection(int number, int count) {
  static final PackedSection WHOLE = new PackedSection(0, 1);

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  static PackedSection of(JsonNode pair) {
    if (pair.size() != 2 || !pair.get(0).isInt() || !pair.get(1).isInt()) {
      throw new IllegalArgumentException("expected two numbers, got " + pair);
    }
    return new PackedSection(pair.get(0).asInt(), pair.get(1).asInt());
  }

  boolean isFirst() {
    return number == 0;
  }

  /**
   * Returns the first row of the part. The first part has all rows of a file that does not know their number.
   *
   * @param rows of the file, or -1
   */
  long start(long rows) {
    return rows < 0 ? isFirst() ? 0 : Long.MAX_VALUE : rows * number / count;
  }

  /** Returns the row after the last one. */
  long end(long rows) {
    return rows < 0 || number == count - 1 ? Long.MAX_VALUE : rows * (number + 1) / count;
  }
}
