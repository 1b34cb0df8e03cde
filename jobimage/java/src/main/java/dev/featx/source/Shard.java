package dev.featx.source;

import dev.featx.contract.Contract;
import java.util.UUID;

/**
 * A unit of input, committed atomically.
 *
 * @param index in the run's list, which determines its file names
 * @param part its images
 */
public record Shard(int index, Images.Part part) {
  /** Parses a line written by the driver. */
  public static Shard read(String json) {
    ShardLine line = Contract.read(json, ShardLine.class);
    return new Shard(line.index(), line.part());
  }

  /** Returns the name of its files, the same for every writer. */
  public String fileName() {
    return String.format("part-%05d.parquet", index);
  }

  /** Returns a unique file name, for a table whose log names the valid file. */
  public String uniqueFileName() {
    return String.format("part-%05d-%s.parquet", index, UUID.randomUUID());
  }

  /** Returns the name of its marker. */
  public String doneName() {
    return String.format("%05d.json", index);
  }
}
