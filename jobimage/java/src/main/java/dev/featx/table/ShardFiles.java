package dev.featx.table;

import dev.featx.nets.Precision;
import dev.featx.source.LocalFiles;
import dev.featx.source.Shard;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.s3a.S3AFileSystem;

/**
 * Writes a shard's files atomically.
 *
 * <p>A shard counts exactly once, for one of two reasons. Either the file name depends only on the shard, so a retried task,
 * the next attempt or a driver believed dead replaces the file with one of the same rows. Or the table has a log, which
 * names one of the shard's files. S3 shows an object once its upload is complete; on HDFS and local disks a file is written
 * under another name and then renamed.
 */
public final class ShardFiles {
  /** A file in its final place. */
  record Written(long bytes, String sha256) {}

  /** Writes a file and returns its SHA-256. */
  interface Writer {
    String write(Path file) throws IOException;
  }

  private final Configuration conf;
  private final TableSettings settings;

  public ShardFiles(Configuration conf, TableSettings settings) {
    this.conf = conf;
    this.settings = settings;
  }

  /**
   * Writes rows, then the marker of a finished shard.
   *
   * @param shard the shard
   * @param features rows of the table
   * @param failures rows of the quarantine
   * @param skipped images that were not selected
   * @param precision in which features were computed
   * @param seconds how long the steps before took
   * @return the result, as in the marker
   */
  public ShardResult commit(Shard shard, List<Rows.Feature> features, List<Rows.Failure> failures, int skipped,
      Precision precision, StepSeconds seconds) throws IOException, InterruptedException {
    long started = System.nanoTime();
    String name = settings.logged() ? shard.uniqueFileName() : shard.fileName();
    Path table = new Path(settings.featuresFolder(), name);
    Written rows = place(table, file -> Rows.writeFeatures(file, conf, features, settings.damaged(), settings.carry()));
    Written quarantined = new Written(0, "");
    if (!failures.isEmpty()) {
      Path quarantine = new Path(settings.quarantineFolder(), shard.fileName());
      quarantined = place(quarantine, file -> Rows.writeFailures(file, conf, failures));
    }
    KeyRange keys = KeyRange.NONE;
    for (Rows.Feature row : features) {
      keys = keys.with(row.key());
    }
    Map<String, Integer> reasons = new TreeMap<>();
    failures.forEach(failure -> reasons.merge(failure.problem().reason().label(), 1, Integer::sum));
    ShardResult result = new ShardResult(shard.index(), name, features.size(), failures.size(), skipped, rows.bytes(),
        quarantined.bytes(), rows.sha256(), quarantined.sha256(), precision.word(), keys, reasons,
        seconds.withWrite(Math.round((System.nanoTime() - started) / 1e6) / 1e3));
    place(new Path(settings.doneFolder(), shard.doneName()), file -> {
      try (OutputStream stream = file.getFileSystem(conf).create(file, true)) {
        stream.write(result.toJson().getBytes(StandardCharsets.UTF_8));
      }
      return "";
    });
    return result;
  }

  /** Puts a file in its final place, retrying if the store does not respond. */
  Written place(Path file, Writer writer) throws IOException, InterruptedException {
    return settings.patience().withRetry("writing " + file, () -> placeOnce(file, writer));
  }

  private Written placeOnce(Path file, Writer writer) throws IOException {
    FileSystem fileSystem = file.getFileSystem(conf);
    String sha256;
    if (fileSystem instanceof S3AFileSystem) {
      sha256 = writer.write(file);
    } else {
      Path hidden = new Path(file.getParent(), "." + file.getName() + "." + UUID.randomUUID());
      sha256 = writer.write(hidden);
      if (fileSystem instanceof LocalFiles local) {
        local.replace(hidden, file);
      } else {
        FileContext.getFileContext(file.toUri(), conf).rename(hidden, file, Options.Rename.OVERWRITE);
      }
    }
    return new Written(fileSystem.getFileStatus(file).getLen(), sha256);
  }
}
