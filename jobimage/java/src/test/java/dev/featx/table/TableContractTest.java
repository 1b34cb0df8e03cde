package dev.featx.table;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.featx.contract.Contract;
import dev.featx.contract.GoldenFiles;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;
import org.junit.jupiter.api.Test;

/** Documents of a table are written exactly as in the golden files, which Python's tests read too. */
class TableContractTest {
  private static final String DIGEST = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

  @Test
  void aShardsResultIsWrittenCompletely() {
    KeyRange keys = KeyRange.NONE.with("shoes/2.jpg").with("shoes/ü.jpg").with("shoes/1.jpg");
    GoldenFiles.assertWritten("shard-result.json", new ShardResult(7, "part-00007-0b0e7f2a.parquet", 31, 1, 2, 5_000_000_000L, 812,
        DIGEST, "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "bf16", keys,
        Map.of("NotAnImage", 1), new StepSeconds(1.5, 0.25, 0.125, 2.5, 3.75, 0.5)));
    GoldenFiles.assertWritten("shard-result.empty.json",
        new ShardResult(8, "part-00008.parquet", 0, 0, 0, 1024, 0, DIGEST, "", "f32", KeyRange.NONE, Map.of(),
            StepSeconds.NONE));
  }

  @Test
  void aReplacementIsParsedAndItsResultWrittenCompletely() {
    ReplacementTask task =
        GoldenFiles.assertParsed("replacement-task.json", json -> Contract.read(json, ReplacementTask.class));
    KeyRange keys = KeyRange.NONE.with("z").with("a");
    GoldenFiles.assertWritten("replacement-result.json", new ReplacementResult(task.path(), 2,
        new ReplacementResult.RewrittenFile(task.file(), 30, 65536, DIGEST, keys)));
    GoldenFiles.assertWritten("replacement-result.untouched.json", new ReplacementResult("part-00002.parquet", 0, null));
  }

  @Test
  void aGroupIsParsedAndItsResultWrittenCompletely() {
    GroupTask task = GoldenFiles.assertParsed("group-task.json", json -> Contract.read(json, GroupTask.class));
    KeyRange keys = KeyRange.NONE.with("z").with("a");
    GoldenFiles.assertWritten("group-result.json", new GroupResult(task.number(), task.file(), 63, 5_000_000_000L, DIGEST, keys,
        task.file(), 1, 812, "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", 1.25));
  }

  @Test
  void columnsMatchTheContract() {
    assertEquals(columns("features"), columns(Rows.FEATURES));
    assertEquals(Stream.concat(columns("features").stream(), Stream.of(column(GoldenFiles.tree("columns.json").get("damaged")))).toList(),
        columns(Rows.FEATURES_WITH_DAMAGED));
    assertEquals(columns("quarantine"), columns(Rows.FAILURES));
  }

  private static List<String> columns(String table) {
    List<String> columns = new ArrayList<>();
    for (JsonNode column : GoldenFiles.tree("columns.json").get(table)) {
      columns.add(column(column));
    }
    return columns;
  }

  private static String column(JsonNode column) {
    return column.get("name").asText() + " " + column.get("type").asText() + (column.get("nullable").asBoolean() ? "?" : "");
  }

  private static List<String> columns(MessageType schema) {
    return schema.getFields().stream()
        .map(field -> field.getName() + " " + kind(field) + (field.isRepetition(Type.Repetition.OPTIONAL) ? "?" : "")).toList();
  }

  private static String kind(Type field) {
    if (!field.isPrimitive()) {
      Type element = field.asGroupType().getType("list").asGroupType().getType("element");
      assertEquals(LogicalTypeAnnotation.listType(), field.getLogicalTypeAnnotation());
      return kind(element) + "s";
    }
    return switch (field.asPrimitiveType().getPrimitiveTypeName()) {
      case FLOAT -> "float";
      case INT32 -> "integer";
      case BOOLEAN -> "boolean";
      case BINARY -> field.getLogicalTypeAnnotation() == null ? "binary" : "string";
      default -> "unknown";
    };
  }
}
