package dev.featx.table;

import dev.featx.source.ParquetColumns;
import java.io.IOException;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.schema.MessageType;

/**
 * Joins the files of shards into one file of the table: readers like a few large files, and executors commit many small ones.
 *
 * <p>Row by row, since small row groups would make a large file as slow to read as many small files.
 */
public final class GroupFiles {
  private final TableSettings settings;
  private final Configuration conf;

  /** The content of a joined file. */
  private record Joined(long rows, KeyRange keys, ShardFiles.Written written) {
    static final Joined NONE = new Joined(0, KeyRange.NONE, new ShardFiles.Written(0, ""));
  }

  public GroupFiles(TableSettings settings, Configuration conf) {
    this.settings = settings;
    this.conf = conf;
  }

  /**
   * Joins files.
   *
   * @throws IOException if a file can't be read or written
   */
  public GroupResult run(GroupTask task) throws IOException, InterruptedException {
    long started = System.nanoTime();
    Joined rows = join(task.rows(), new Path(task.folder(), task.file()));
    Joined failures = Joined.NONE;
    String name = "";
    if (!task.quarantineFile().isEmpty()) {
      Path file = new Path(task.quarantineFile());
      failures = join(task.quarantined(), file);
      name = file.getName();
    }
    return new GroupResult(task.number(), task.file(), rows.rows(), rows.written().bytes(), rows.written().sha256(), rows.keys(),
        name, failures.rows(), failures.written().bytes(), failures.written().sha256(),
        Math.round((System.nanoTime() - started) / 1e6) / 1e3);
  }

  private Joined join(List<String> names, Path joined) throws IOException, InterruptedException {
    List<Path> files = names.stream().map(Path::new).toList();
    PassedRows[] passed = new PassedRows[1];
    ShardFiles.Written written = new ShardFiles(conf, settings).place(joined, destination -> {
      DigestedFile target = new DigestedFile(destination, conf);
      passed[0] = new PassedRows(schema(files));
      try (ParquetWriter<Void> writer = passed[0].writer(target, conf)) {
        for (Path file : files) {
          pass(file, passed[0], writer);
        }
      }
      return target.sha256();
    });
    return new Joined(passed[0].rows(), passed[0].keys(), written);
  }

  private void pass(Path file, PassedRows rows, ParquetWriter<Void> writer) throws IOException {
    try (ParquetReader<Boolean> reader = ParquetReader.builder(rows.readSupport(), file).withConf(conf).build()) {
      while (reader.read() != null) {
        writer.write(null);
      }
    }
  }

  private MessageType schema(List<Path> files) throws IOException {
    return ParquetColumns.of(files.get(0), conf);
  }
}
