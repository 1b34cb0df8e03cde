package dev.featx.source;

import java.io.Serializable;

/**
 * How all sources of a run are read.
 *
 * @param maxBytes a larger object is not read
 * @param hbase the table that images are cells of, or null
 * @param patience with stores that do not answer
 */
public record ReadSettings(long maxBytes, HBaseTable hbase, Patience patience) implements Serializable {}
