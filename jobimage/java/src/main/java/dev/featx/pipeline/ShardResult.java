package dev.featx.pipeline;

import java.io.Serializable;

/**
 * What a shard came to; small, since one comes back to the driver for each.
 *
 * @param index of the shard
 * @param features rows in the table
 * @param failures rows in the quarantine
 * @param bytes of the table's file
 * @param failureBytes of the quarantine's file, 0 without one
 * @param precision that features were computed in
 */
public record ShardResult(int index, int features, int failures, long bytes, long failureBytes, String precision)
    implements Serializable {

  /** Returns the same as JSON: the content of the mark that the shard is done. */
  public String toJson() {
    return String.format("{\"index\":%d,\"features\":%d,\"failures\":%d,\"bytes\":%d,\"failureBytes\":%d,\"precision\":\"%s\"}",
        index, features, failures, bytes, failureBytes, precision);
  }
}
