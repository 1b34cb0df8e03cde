package dev.featx.pipeline;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;

/**
 * A unit of input that is committed whole or not at all.
 *
 * @param index its place in the run's list, which names its files
 * @param objects the pictures' objects, in the order of the rows
 */
record Shard(int index, List<StoredObject> objects) {
  /**
   * One object of the source.
   *
   * @param key by which the table names it
   * @param uri where Hadoop's file systems find it
   * @param size in bytes, as listed
   */
  record StoredObject(String key, String uri, long size) {}

  static Shard read(String json) {
    try {
      JsonNode shard = new ObjectMapper().readTree(json);
      String base = shard.get("base").asText();
      List<StoredObject> objects = new ArrayList<>();
      for (JsonNode each : shard.get("objects")) {
        String key = each.get(0).asText();
        objects.add(new StoredObject(key, base + key, each.get(1).asLong()));
      }
      return new Shard(shard.get("index").asInt(), objects);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the driver's shard is no JSON", e);
    }
  }

  String fileName() {
    return String.format("part-%05d.parquet", index);
  }

  String doneName() {
    return String.format("%05d.json", index);
  }
}
