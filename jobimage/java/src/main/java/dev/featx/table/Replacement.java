package dev.featx.table;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.featx.source.ParquetColumns;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;

/**
 * Takes the rows out of a table's file that newer files have rows for, by their keys: the file is written anew without them.
 *
 * <p>Copy on write, since every reader of Delta Lake understands it; vectors of deleted rows not all do. Rows of features are
 * small beside the images that they come of.
 */
public final class Replacement {
  private static final String KEY = "key";

  private final TableSettings settings;
  private final Configuration conf;

  public Replacement(TableSettings settings, Configuration conf) {
    this.settings = settings;
    this.conf = conf;
  }

  /**
   * Writes an old file anew, if it has such rows.
   *
   * @param json {"path": of the old file in its log, "old": where it is, "new": [where newer files are], "file": name of the
   *     new one}
   * @return as JSON: the same path and file, how many rows were taken out, and of what is left rows, bytes, sha256, keys
   * @throws IOException if a file can't be read or written
   */
  public String of(String json) throws IOException, InterruptedException {
    JsonNode told = new ObjectMapper().readTree(json);
    Path old = new Path(told.get("old").asText());
    Set<String> replaced = new HashSet<>();
    for (JsonNode newer : told.get("new")) {
      Path file = new Path(newer.asText());
      replaced.addAll(settings.patience().answer("reading " + file, () -> keys(file)));
    }
    Set<String> there = settings.patience().answer("reading " + old, () -> keys(old));
    there.retainAll(replaced);
    ObjectNode found = new ObjectMapper().createObjectNode();
    found.set("path", told.get("path"));
    found.put("removed", there.size());
    if (!there.isEmpty()) {
      writeWithout(there, old, told.get("file").asText(), found);
    }
    return found.toString();
  }

  private void writeWithout(Set<String> keys, Path old, String name, ObjectNode found) throws IOException, InterruptedException {
    KeyRange[] range = new KeyRange[1];
    int[] rows = new int[1];
    Path file = new Path(settings.featuresFolder(), name);
    ShardFiles.Written written = new ShardFiles(conf, settings).place(file, place -> {
      range[0] = KeyRange.NONE;
      rows[0] = 0;
      DigestedFile target = new DigestedFile(place, conf);
      ExampleParquetWriter.Builder kept = ExampleParquetWriter.builder(target).withType(ParquetColumns.of(old, conf));
      try (ParquetReader<Group> reader = ParquetColumns.reader(old, conf); ParquetWriter<Group> writer = Rows.writer(kept, conf)) {
        for (Group row = reader.read(); row != null; row = reader.read()) {
          String key = row.getString(KEY, 0);
          if (!keys.contains(key)) {
            writer.write(row);
            rows[0]++;
            range[0] = range[0].with(key);
          }
        }
      }
      return target.sha256();
    });
    found.put("file", name).put("rows", rows[0]).put("bytes", written.bytes()).put("sha256", written.sha256());
    found.set("keys", new ObjectMapper().valueToTree(range[0]));
  }

  private Set<String> keys(Path file) throws IOException {
    Set<String> found = new HashSet<>();
    try (ParquetReader<Group> reader = ParquetColumns.reader(file, conf, KEY)) {
      for (Group row = reader.read(); row != null; row = reader.read()) {
        found.add(row.getString(KEY, 0));
      }
    }
    return found;
  }
}
