package dev.featx.table;

import java.io.Serializable;

/**
 * The result of a replacement.
 *
 * @param path of the old file in its log
 * @param removed rows that newer files have
 * @param rewritten the file without them; null if there were none
 */
public record ReplacementResult(String path, int removed, RewrittenFile rewritten) implements Serializable {
  /**
   * A file of a table without the rows that newer files have.
   *
   * @param file its name
   * @param rows that are left
   * @param bytes its size
   * @param sha256 its digest
   * @param keys of its rows
   */
  public record RewrittenFile(String file, int rows, long bytes, String sha256, KeyRange keys) implements Serializable {}
}
