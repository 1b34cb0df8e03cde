package dev.featx.table;

import dev.featx.source.Patience;
import java.io.Serializable;
import java.util.List;

/**
 * Where and how the shards of a run are written.
 *
 * @param featuresFolder folder of the shards' feature files
 * @param damaged whether the table has the column `damaged`
 * @param logged whether a log names the table's files, in which case each file name is unique
 * @param quarantineFolder folder of the shards' quarantine files
 * @param doneFolder folder of the markers of finished shards
 * @param carry columns of the source that are columns of the table, as text
 * @param patience with stores that do not respond
 */
public record TableSettings(String featuresFolder, boolean damaged, boolean logged, String quarantineFolder, String doneFolder,
    List<String> carry, Patience patience) implements Serializable {}
