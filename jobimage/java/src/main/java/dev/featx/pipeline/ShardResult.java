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
 * @param sha256 of the table's file
 * @param failureSha256 of the quarantine's file, empty without one
 * @param precision that features were computed in
 */
public record ShardResult(int index, int features, int failures, long bytes, long failureBytes, String sha256,
    String failureSha256, String precision)
    implements Serializable {

  /** Returns the same as JSON: the content of the mark that the shard is done. */
  public String toJson() {
    return String.format("{\"index\":%d,\"features\":%d,\"failures\":%d,\"bytes\":%d,\"failureBytes\":%d,\"sha256\":\"%s\","
        + "\"failureSha256\":\"%s\",\"precision\":\"%s\"}", index, features, failures, bytes, failureBytes, sha256, failureSha256,
        precision);
  }
}
