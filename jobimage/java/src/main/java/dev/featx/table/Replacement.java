package dev.featx.table;

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
 * Removes rows from a table's file if newer files contain their keys, by rewriting the file without them.
 *
 * <p>Copy on write works with every reader of Delta Lake; deletion vectors do not. Feature rows are small compared to the
 * images they come from.
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
   * Rewrites an old file if it contains such rows.
   *
   * @throws IOException if a file can't be read or written
   */
  public ReplacementResult run(ReplacementTask task) throws IOException, InterruptedException {
    Path old = new Path(task.old());
    Set<String> replaced = new HashSet<>();
    for (String newer : task.newer()) {
      Path file = new Path(newer);
      replaced.addAll(settings.patience().withRetry("reading " + file, () -> keys(file)));
    }
    Set<String> removed = settings.patience().withRetry("reading " + old, () -> keys(old));
    removed.retainAll(replaced);
    return new ReplacementResult(task.path(), removed.size(), removed.isEmpty() ? null : writeWithout(removed, old, task.file()));
  }

  private ReplacementResult.RewrittenFile writeWithout(Set<String> keys, Path old, String name)
      throws IOException, InterruptedException {
    KeyRange[] range = new KeyRange[1];
    int[] rows = new int[1];
    Path file = new Path(settings.featuresFolder(), name);
    ShardFiles.Written written = new ShardFiles(conf, settings).place(file, destination -> {
      range[0] = KeyRange.NONE;
      rows[0] = 0;
      DigestedFile target = new DigestedFile(destination, conf);
      ExampleParquetWriter.Builder builder = ExampleParquetWriter.builder(target).withType(ParquetColumns.of(old, conf));
      try (ParquetReader<Group> reader = ParquetColumns.reader(old, conf); ParquetWriter<Group> writer = Rows.writer(builder, conf)) {
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
    return new ReplacementResult.RewrittenFile(name, rows[0], written.bytes(), written.sha256(), range[0]);
  }

  private Set<String> keys(Path file) throws IOException {
    Set<String> keys = new HashSet<>();
    try (ParquetReader<Group> reader = ParquetColumns.reader(file, conf, KEY)) {
      for (Group row = reader.read(); row != null; row = reader.read()) {
        keys.add(row.getString(KEY, 0));
      }
    }
    return keys;
  }
}
