package dev.featx.source;

/**
 * An object as it is now, whichever way it was read.
 *
 * @param size in bytes
 * @param bytes its content, or null if it is too large
 */
record Fetched(long size, byte[] bytes) {}
