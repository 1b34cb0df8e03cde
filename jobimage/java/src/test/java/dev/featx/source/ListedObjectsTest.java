package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroup;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.util.HadoopOutputFile;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An executor finds its images in the source's list. */
class ListedObjectsTest {
  private static final MessageType PIECE = MessageTypeParser.parseMessageType(
      "message schema { optional binary key (STRING); optional int64 size; optional binary version (STRING); }");

  @TempDir
  java.nio.file.Path folder;

  private final Configuration conf = new Configuration();

  private String piece(String name, int rows) throws IOException {
    Path path = new Path(folder.resolve(name).toUri());
    try (ParquetWriter<Group> writer = ExampleParquetWriter.builder(HadoopOutputFile.fromPath(path, conf)).withType(PIECE)
        .withConf(conf).withRowGroupSize(2000L).withPageSize(500).build()) {
      for (int i = 0; i < rows; i++) {
        SimpleGroup row = new SimpleGroup(PIECE);
        row.add("key", name + "/ü " + i);
        row.add("size", 5_000_000_000L + i);
        row.add("version", "\"etag\"");
        writer.write(row);
      }
    }
    return path.toString();
  }

  private List<String> keys(List<ShardLine.Span> spans) throws Exception {
    ReadSettings.Samples samples = new ReadSettings.Samples("", List.of());
    ReadSettings settings = new ReadSettings(1 << 20, null, new Patience(0, what -> { }), samples, List.of());
    List<String> keys = new ArrayList<>();
    try (Images images = new ListedObjects("file:///images/", spans).open(settings, conf)) {
      for (Image image = images.next(); image != null; image = images.next()) {
        keys.add(image.key());
      }
    }
    return keys;
  }

  @Test
  void rowsOfSeveralPiecesAndRowGroupsAreReadInTheirOrder() throws Exception {
    String first = piece("first", 1000);
    String second = piece("second", 1000);
    List<String> expected = new ArrayList<>();
    for (int i = 350; i < 1000; i++) {
      expected.add("first/ü " + i);
    }
    for (int i = 0; i < 3; i++) {
      expected.add("second/ü " + i);
    }
    assertEquals(expected, keys(List.of(new ShardLine.Span(first, 350, 650), new ShardLine.Span(second, 0, 3))));
    assertEquals(List.of("second/ü 999"), keys(List.of(new ShardLine.Span(second, 999, 1))));
  }

  @Test
  void aPieceThatIsTooShortIsNotPassedOver() throws Exception {
    String piece = piece("first", 10);
    assertThrows(Exception.class, () -> keys(List.of(new ShardLine.Span(piece, 5, 6))));
  }
}
