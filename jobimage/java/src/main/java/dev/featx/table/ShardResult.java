package dev.featx.table;

import dev.featx.contract.Contract;
import java.io.Serializable;
import java.util.Map;

/**
 * The result of a shard: returned to the driver, and stored as the shard's marker.
 *
 * @param index of the shard
 * @param file name of the shard's file in the table
 * @param features rows in the table
 * @param failures rows in the quarantine
 * @param skipped images of the source that were not selected
 * @param bytes size of the table's file
 * @param failureBytes size of the quarantine's file, 0 without one
 * @param sha256 digest of the table's file
 * @param failureSha256 digest of the quarantine's file, empty without one
 * @param precision in which features were computed
 * @param keys range of the rows' keys
 * @param reasons rows in the quarantine by reason
 * @param seconds how long its steps took
 */
public record ShardResult(int index, String file, int features, int failures, int skipped, long bytes, long failureBytes,
    String sha256, String failureSha256, String precision, KeyRange keys, Map<String, Integer> reasons,
    StepSeconds seconds) implements Serializable {
  /** Returns the result as JSON. */
  public String toJson() {
    return Contract.write(this);
  }
}
