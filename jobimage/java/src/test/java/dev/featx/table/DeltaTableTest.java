package dev.featx.table;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A table's log names files of the table. Whoever writes it must not have a run open anything else. */
class DeltaTableTest {
  private static final String SCHEMA = "{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}";
  private static final String START = "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
      + "{\"metaData\":{\"id\":\"a\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"" + SCHEMA
      + "\",\"partitionColumns\":[],\"configuration\":{}}}\n";

  @TempDir
  private Path folder;

  private DeltaTable tableOf(String path) throws IOException {
    Path log = Files.createDirectories(folder.resolve("table/_delta_log"));
    String add = "{\"add\":{\"path\":\"" + path + "\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":true}}\n";
    Files.writeString(log.resolve("00000000000000000000.json"), START + add);
    return new DeltaTable("file://" + folder + "/table", Map.of());
  }

  @ParameterizedTest
  @ValueSource(strings = {"../other/a.parquet", "%2e%2e/other/a.parquet", "b/../../other/a.parquet", "/etc/passwd",
      "file:///etc/passwd", "s3a://other/a.parquet", "http://169.254.0.1/a.parquet"})
  void aFileOutsideOfTheTableIsRefused(String path) throws Exception {
    DeltaTable table = tableOf(path);
    assertEquals(FailureClass.SOURCE_NOT_SUPPORTED, assertThrows(RunProblem.class, table::files).failureClass());
    assertEquals(FailureClass.SOURCE_NOT_SUPPORTED, assertThrows(RunProblem.class, table::written).failureClass());
  }

  @Test
  void aFileOfTheTableIsListedByItsPathInIt() throws Exception {
    assertEquals("[[\"b=1/a c.parquet\",1,1]]", tableOf("b=1/a%20c.parquet").files());
  }
}
