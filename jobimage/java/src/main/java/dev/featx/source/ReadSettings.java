package dev.featx.source;

import java.io.Serializable;

/**
 * How the sources of a run are read.
 *
 * @param maxBytes larger objects are not read
 * @param hbase the table whose cells are images, or null
 * @param patience with stores that do not respond
 */
public record ReadSettings(long maxBytes, HBaseTable hbase, Patience patience) implements Serializable {}
