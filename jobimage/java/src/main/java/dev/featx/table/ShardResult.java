package dev.featx.table;

import dev.featx.contract.Contract;
import java.io.Serializable;

/**
 * The result of a shard: returned to the driver, and the content of the shard's mark.
 *
 * @param index of the shard
 * @param file name of the table's file
 * @param features rows in the table
 * @param failures rows in the quarantine
 * @param bytes size of the table's file
 * @param failureBytes size of the quarantine's file, 0 without one
 * @param sha256 digest of the table's file
 * @param failureSha256 digest of the quarantine's file, empty without one
 * @param precision that features were computed in
 * @param keys of the table's rows
 */
public record ShardResult(int index, String file, int features, int failures, long bytes, long failureBytes, String sha256,
    String failureSha256, String precision, KeyRange keys) implements Serializable {
  /** Returns the result as JSON. */
  public String toJson() {
    return Contract.write(this);
  }
}
