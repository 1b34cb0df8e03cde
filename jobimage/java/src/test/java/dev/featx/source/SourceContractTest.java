package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.featx.contract.Contract;
import dev.featx.contract.GoldenFiles;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Shards and HBase tables are parsed exactly as in the golden files, which Python's tests read too. */
class SourceContractTest {
  private static ShardLine line(String name) {
    return GoldenFiles.assertParsed(name, json -> Contract.read(json, ShardLine.class));
  }

  @Test
  void aShardOfObjectsIsParsedCompletely() {
    StoredObjects part = (StoredObjects) line("shard-line.objects.json").part();
    assertEquals(new StoredObjects.StoredObject("shoes/2 ü\"\\.png", "s3a://images/shoes/2 ü\"\\.png", 5_000_000_000L),
        part.objects().get(1));
    assertEquals(3, Shard.read(GoldenFiles.read("shard-line.objects.json")).index());
  }

  @Test
  void aShardOfListedObjectsIsParsedCompletely() {
    ListedObjects part = (ListedObjects) line("shard-line.listed.json").part();
    assertEquals("s3a://images/", part.base());
    assertEquals(new ShardLine.Span("s3a://features/shoes/_featx/uid/list/piece-000005.parquet", 0, 5_000_000_000L),
        part.spans().get(1));
  }

  @Test
  void aShardOfPackedFilesIsParsedCompletely() {
    PackedImages part = (PackedImages) line("shard-line.packed.json").part();
    assertEquals("hdfs://namenode:8020/archives/a.tar", part.files().get(0).uri());
    assertEquals(new PackedSettings(PackedSettings.Format.PARQUET, "(?:(?:.*/)?[^/]*\\.jpg|(?:.*/)?[^/]*\\.png)", "key", null, "url",
        List.of("label", "split")), part.settings());
    assertEquals(new PackedSection(2, 5), part.section());
    assertEquals(List.of("a.tar/cat.jpg"), part.keys());
  }

  @Test
  void aShardOfRangesIsParsedCompletely() {
    HBaseRows part = (HBaseRows) line("shard-line.ranges.json").part();
    assertArrayEquals(new byte[] {10, 0, -1}, part.ranges().get(1).start());
    assertEquals(1_793_491_200_500L, part.since());
    assertEquals(64, part.limit());
  }

  @Test
  void aShardOfAnUnknownKindOrWithAMalformedObjectIsRejected() {
    String json = GoldenFiles.read("shard-line.objects.json");
    for (String changed : new String[] {json.replace("\"objects\",", "\"others\","), json.replace(", 20480]", "]"),
        json.replace("20480", "20480, 1"), json.replace("20480", "\"20480\"")}) {
      assertThrows(IllegalArgumentException.class, () -> Shard.read(changed), changed);
    }
  }

  @Test
  void anHBaseTableIsParsedCompletely() {
    HBaseTable table = GoldenFiles.assertParsed("hbase-table.json", json -> Contract.read(json, HBaseTable.class));
    assertEquals("hdfs://namenode:8020/hbase", table.snapshot().rootDir());
  }

  @Test
  void filesAreNamedAsTheDriverExpects() {
    Shard shard = new Shard(GoldenFiles.tree("file-names.json").get("index").asInt(), null);
    assertEquals(GoldenFiles.tree("file-names.json").get("part").asText(), shard.fileName());
    assertEquals(GoldenFiles.tree("file-names.json").get("marker").asText(), shard.doneName());
  }
}
