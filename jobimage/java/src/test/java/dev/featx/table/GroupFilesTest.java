package dev.featx.table;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import dev.featx.image.Subject;
import dev.featx.source.ParquetColumns;
import dev.featx.source.Patience;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of shards become one file with the same rows, in few row groups. */
class GroupFilesTest {
  private static final List<String> CARRY = List.of("label");

  @TempDir
  java.nio.file.Path folder;

  private final Configuration conf = new Configuration();

  private TableSettings settings() {
    return new TableSettings(folder.toUri().toString(), true, true, "", "", CARRY, new Patience(0, what -> { }));
  }

  private String write(String name, List<Rows.Feature> rows) throws IOException {
    Path file = new Path(folder.resolve(name).toUri());
    Rows.writeFeatures(file, conf, rows, true, CARRY);
    return file.toString();
  }

  private static Rows.Feature row(String key, int length) {
    float[] feature = new float[length];
    for (int i = 0; i < length; i++) {
      feature[i] = key.hashCode() * 0.5f + i;
    }
    boolean some = key.hashCode() % 2 == 0;
    Subject subject = some ? new Subject(0, 0.25f, 1, 1, 0.5f, 7, null) : new Subject(0, 0, 1, 1, null, null, null);
    return new Rows.Feature(key, subject, feature, some ? new byte[] {1, -1} : null, 640, 480, some,
        some ? Map.of("label", "shoe ü") : Map.of());
  }

  private List<String> read(String file) throws IOException {
    List<String> rows = new ArrayList<>();
    try (ParquetReader<Group> reader = ParquetColumns.reader(new Path(file), conf)) {
      for (Group row = reader.read(); row != null; row = reader.read()) {
        rows.add(row.toString());
      }
    }
    return rows;
  }

  private GroupTask task(List<String> rows, List<String> quarantined) {
    return new GroupTask(2, folder.toUri().toString(), "joined.parquet", rows, quarantined,
        quarantined.isEmpty() ? "" : folder.toUri() + "bad.parquet");
  }

  @Test
  void allRowsOfAllFilesAreInTheJoinedOneInTheirOrder() throws Exception {
    List<String> files = new ArrayList<>();
    List<String> expected = new ArrayList<>();
    for (int file = 0; file < 5; file++) {
      List<Rows.Feature> rows = new ArrayList<>();
      for (int i = 0; i < 7 * file; i++) {
        rows.add(row("image " + file + "/" + i, i % 3 == 0 ? 0 : 16));
      }
      files.add(write("shard-" + file, rows));
      expected.addAll(read(files.get(file)));
    }
    GroupResult result = new GroupFiles(settings(), conf).run(task(files, List.of()));
    String joined = folder.toUri() + "joined.parquet";
    assertEquals(70, result.rows());
    assertEquals(expected, read(joined));
    assertEquals(new KeyRange("image 1/0", "image 4/9"), result.keys());
    assertEquals(Files.size(folder.resolve("joined.parquet")), result.bytes());
    assertEquals(2, result.number());
    try (ParquetFileReader footer = ParquetFileReader.open(HadoopInputFile.fromPath(new Path(joined), conf))) {
      assertEquals(1, footer.getRowGroups().size());
      assertEquals(70, footer.getRecordCount());
    }
  }

  @Test
  void theQuarantineOfTheShardsIsJoinedToo() throws Exception {
    List<String> quarantined = new ArrayList<>();
    for (String key : List.of("a", "b")) {
      Path file = new Path(folder.resolve("bad-" + key).toUri());
      ImageProblem problem = new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.NOT_AN_IMAGE, "it is text");
      Rows.writeFailures(file, conf, List.of(new Rows.Failure(key, problem)));
      quarantined.add(file.toString());
    }
    GroupResult result = new GroupFiles(settings(), conf).run(task(List.of(write("shard", List.of())), quarantined));
    assertEquals(0, result.rows());
    assertEquals(KeyRange.NONE, result.keys());
    assertEquals(2, result.quarantined());
    assertEquals("bad.parquet", result.quarantineFile());
    List<String> both = new ArrayList<>(read(quarantined.get(0)));
    both.addAll(read(quarantined.get(1)));
    assertEquals(both, read(folder.toUri() + "bad.parquet"));
  }

  @Test
  void theSameFilesGiveTheSameBytes() throws Exception {
    GroupTask task = task(List.of(write("one", List.of(row("a", 8))), write("two", List.of(row("b", 8)))), List.of());
    String first = new GroupFiles(settings(), conf).run(task).sha256();
    byte[] bytes = Files.readAllBytes(folder.resolve("joined.parquet"));
    assertEquals(first, new GroupFiles(settings(), conf).run(task).sha256());
    assertArrayEquals(bytes, Files.readAllBytes(folder.resolve("joined.parquet")));
  }

  @Test
  void aMissingFileIsNotPassedOver() throws Exception {
    GroupTask task = task(List.of(write("one", List.of(row("a", 8))), folder.toUri() + "gone"), List.of());
    assertThrows(FileNotFoundException.class, () -> new GroupFiles(settings(), conf).run(task));
  }
}
