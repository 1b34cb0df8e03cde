package dev.featx.table;

import java.util.List;

/**
 * Files of consecutive shards that become one file of the table.
 *
 * @param number tells the results of tasks apart
 * @param folder address of the table's folder
 * @param file name of the joined file
 * @param rows addresses of the shards' files, in the order of their rows
 * @param quarantined addresses of the shards' quarantine files
 * @param quarantineFile address of the joined quarantine file, empty without one
 */
public record GroupTask(int number, String folder, String file, List<String> rows, List<String> quarantined,
    String quarantineFile) {}
