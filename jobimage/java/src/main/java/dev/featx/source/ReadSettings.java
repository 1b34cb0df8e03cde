package dev.featx.source;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.Serializable;

/**
 * How all sources of a run are read.
 *
 * @param maxBytes a larger object is not read
 * @param hbase the table that images are cells of, or null
 * @param patience with stores that do not answer
 */
public record ReadSettings(long maxBytes, HBaseTable hbase, Patience patience) implements Serializable {
  public static ReadSettings of(JsonNode run, Patience patience) {
    return new ReadSettings(run.get("maxBytes").asLong(),
        run.hasNonNull("hbase") ? HBaseTable.of(run.get("hbase")) : null, patience);
  }
}
