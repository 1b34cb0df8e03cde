package dev.featx.table;

import java.io.Serializable;

/**
 * A file into which the files of shards were joined.
 *
 * @param number of the task
 * @param file its name
 * @param rows its rows
 * @param bytes its size
 * @param sha256 its digest
 * @param keys range of its keys
 * @param quarantineFile name of the joined quarantine file, empty without one
 * @param quarantined rows of that file
 * @param quarantineBytes its size
 * @param quarantineSha256 its digest
 * @param seconds how long it took to join the files
 */
public record GroupResult(int number, String file, long rows, long bytes, String sha256, KeyRange keys, String quarantineFile,
    long quarantined, long quarantineBytes, String quarantineSha256, double seconds) implements Serializable {}
