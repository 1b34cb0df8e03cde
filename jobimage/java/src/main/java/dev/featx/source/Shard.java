package dev.featx.source;

import dev.featx.contract.Contract;
import java.util.UUID;

/**
 * A unit of input, committed as a whole or not at all.
 *
 * @param index its place in the run's list, which names its files
 * @param part where its images are
 */
public record Shard(int index, Images.Part part) {
  /** Parses a line of the driver's. */
  public static Shard read(String json) {
    ShardLine line = Contract.read(json, ShardLine.class);
    return new Shard(line.index(), line.part());
  }

  /** Returns the name of its files, whoever writes them. */
  public String fileName() {
    return String.format("part-%05d.parquet", index);
  }

  /** Returns a name that no other file has, for a table whose log names the file that counts. */
  public String uniqueFileName() {
    return String.format("part-%05d-%s.parquet", index, UUID.randomUUID());
  }

  /** Returns the name of its mark. */
  public String doneName() {
    return String.format("%05d.json", index);
  }
}
