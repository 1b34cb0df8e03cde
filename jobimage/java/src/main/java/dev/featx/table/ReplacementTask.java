package dev.featx.table;

import java.util.List;

/**
 * A file of a table that may contain rows replaced by newer files.
 *
 * @param path of the old file in the table's log
 * @param old address of the old file
 * @param newer addresses of the newer files
 * @param file name of the file that replaces the old one
 */
public record ReplacementTask(String path, String old, List<String> newer, String file) {}
