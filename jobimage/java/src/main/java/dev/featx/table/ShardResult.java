package dev.featx.table;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.Serializable;

/**
 * What a shard came to; small, since one comes back to the driver for each.
 *
 * @param index of the shard
 * @param file what the table's file is called
 * @param features rows in the table
 * @param failures rows in the quarantine
 * @param bytes of the table's file
 * @param failureBytes of the quarantine's file, 0 without one
 * @param sha256 of the table's file
 * @param failureSha256 of the quarantine's file, empty without one
 * @param precision that features were computed in
 * @param keys of the table's rows: where they lie
 */
public record ShardResult(int index, String file, int features, int failures, long bytes, long failureBytes, String sha256,
    String failureSha256, String precision, KeyRange keys)
    implements Serializable {

  /** Returns the same as JSON: the content of the mark that the shard is done. */
  public String toJson() {
    try {
      return new ObjectMapper().writeValueAsString(this);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
