package dev.featx.table;

import java.io.Serializable;

/**
 * The result of a replacement.
 *
 * @param path of the old file in the table's log
 * @param removed number of rows that newer files replace
 * @param rewritten the file without them; null if there were none
 */
public record ReplacementResult(String path, int removed, RewrittenFile rewritten) implements Serializable {
  /**
   * A file of a table without the rows that newer files replace.
   *
   * @param file its name
   * @param rows remaining rows
   * @param bytes its size
   * @param sha256 its digest
   * @param keys range of its keys
   */
  public record RewrittenFile(String file, int rows, long bytes, String sha256, KeyRange keys) implements Serializable {}
}
