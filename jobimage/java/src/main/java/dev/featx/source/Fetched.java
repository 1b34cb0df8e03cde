package dev.featx.source;

/**
 * A fetched object.
 *
 * @param size its current size in bytes
 * @param bytes its content, or null if it is too large
 */
record Fetched(long size, byte[] bytes) {}
