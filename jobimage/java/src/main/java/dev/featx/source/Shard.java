package dev.featx.source;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.UUID;

/**
 * A unit of input that is committed whole or not at all.
 *
 * @param index its place in the run's list, which names its files
 * @param part where its images are
 */
public record Shard(int index, Images.Part part) {
  public static Shard read(String json) {
    try {
      JsonNode shard = new ObjectMapper().readTree(json);
      return new Shard(shard.get("index").asInt(), part(shard));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the driver's shard is no JSON", e);
    }
  }

  private static Images.Part part(JsonNode shard) {
    if (shard.has("ranges")) {
      return HBaseRows.of(shard);
    }
    return shard.hasNonNull("packed") ? PackedImages.of(shard) : StoredObjects.of(shard);
  }

  /** Returns what its files are called, whoever writes them. */
  public String fileName() {
    return String.format("part-%05d.parquet", index);
  }

  /** Returns a name that no other file has: for a table whose log says which of a shard's files counts. */
  public String uniqueFileName() {
    return String.format("part-%05d-%s.parquet", index, UUID.randomUUID());
  }

  public String doneName() {
    return String.format("%05d.json", index);
  }
}
