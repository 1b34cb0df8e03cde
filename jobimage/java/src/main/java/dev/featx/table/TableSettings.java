package dev.featx.table;

import dev.featx.source.Patience;
import java.io.Serializable;

/**
 * Where and how all shards of a run write.
 *
 * @param featuresFolder where shards' feature files go
 * @param logged whether a log will say which files are the table's, so that each has a name of its own
 * @param quarantineFolder where their quarantine files go
 * @param doneFolder where a shard's end is marked
 * @param patience with stores that do not answer
 */
public record TableSettings(String featuresFolder, boolean logged, String quarantineFolder, String doneFolder, Patience patience)
    implements Serializable {}
