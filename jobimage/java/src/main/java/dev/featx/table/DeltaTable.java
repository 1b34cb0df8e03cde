package dev.featx.table;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import dev.featx.security.Authorities;
import dev.featx.security.BucketHeaders;
import dev.featx.security.KerberosLogin;
import dev.featx.source.HadoopSettings;
import io.delta.kernel.Snapshot;
import io.delta.kernel.Table;
import io.delta.kernel.data.FilteredColumnarBatch;
import io.delta.kernel.data.Row;
import io.delta.kernel.defaults.engine.DefaultEngine;
import io.delta.kernel.engine.Engine;
import io.delta.kernel.exceptions.CheckpointAlreadyExistsException;
import io.delta.kernel.internal.InternalScanFileUtils;
import io.delta.kernel.internal.ScanImpl;
import io.delta.kernel.internal.SnapshotImpl;
import io.delta.kernel.utils.CloseableIterator;
import io.delta.kernel.utils.FileStatus;
import java.io.IOException;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * A Delta Lake table as the driver sees it: the files of its newest version, and its requirements for writers.
 *
 * <p>The driver commits by itself (featx_job/table/delta_log.py), because Delta's S3 store assumes a single writer.
 */
public final class DeltaTable {
  private final Path root;
  private final Configuration conf;

  /**
   * Creates a handle; nothing is read yet.
   *
   * @param uri of its folder
   * @param settings Hadoop's
   */
  public DeltaTable(String uri, Map<String, String> settings) {
    this.root = new Path(uri);
    this.conf = HadoopSettings.withDefaults(settings);
  }

  /**
   * Returns the files of the newest version, as JSON: [[path within the folder, size, milliseconds of the last change]].
   *
   * @throws IOException if the table does not exist
   * @throws RunProblem SourceNotSupported, if files contain deleted rows (deletion vectors) or are outside of the folder
   */
  public String files() throws IOException {
    ArrayNode files = new ObjectMapper().createArrayNode();
    Engine engine = engine(BucketHeaders.added(conf)); // only of a source
    String base = qualified().toString();
    forEachFile(engine, newest(engine), false, file -> {
      FileStatus status = InternalScanFileUtils.getAddFileStatus(file);
      String path = inside(base, status).toString().substring(base.length() + 1);
      files.addArray().add(path).add(status.getSize()).add(status.getModificationTime());
    });
    return files.toString();
  }

  /**
   * Returns what a writer must know about the newest version, as JSON: version; writer, the protocol version for writers, and
   * features; schema and configuration; partitions; files, each with its path in the log, uri, and stats, a JSON string or
   * null.
   *
   * @throws IOException as {@link #files}
   */
  public String written() throws IOException {
    Engine engine = engine();
    SnapshotImpl newest = (SnapshotImpl) newest(engine);
    ObjectNode version = new ObjectMapper().createObjectNode();
    version.put("version", newest.getVersion(engine));
    version.put("writer", newest.getProtocol().getMinWriterVersion());
    version.set("features", new ObjectMapper().valueToTree(newest.getProtocol().getWriterFeatures()));
    version.put("schema", newest.getMetadata().getSchemaString());
    version.set("configuration", new ObjectMapper().valueToTree(newest.getMetadata().getConfiguration()));
    version.set("partitions", new ObjectMapper().valueToTree(newest.getPartitionColumnNames(engine)));
    String base = qualified().toString();
    ArrayNode files = version.putArray("files");
    forEachFile(engine, newest, true, file -> {
      Row added = file.getStruct(InternalScanFileUtils.ADD_FILE_ORDINAL);
      ObjectNode entry = files.addObject();
      entry.put("path", added.getString(added.getSchema().indexOf("path")));
      entry.put("uri", inside(base, InternalScanFileUtils.getAddFileStatus(file)).toString());
      int stats = added.getSchema().indexOf("stats");
      entry.put("stats", added.isNullAt(stats) ? null : added.getString(stats));
    });
    return version.toString();
  }

  /**
   * Writes a checkpoint, which spares readers the commits since the last one.
   *
   * @param version the newest version
   * @throws IOException if it can't be written
   */
  public void checkpoint(long version) throws IOException {
    Engine engine = engine();
    try {
      Table.forPath(engine, qualified().toString()).checkpoint(engine, version);
    } catch (CheckpointAlreadyExistsException e) {
      // Another writer has written it for the same commits.
    }
  }

  /** Returns a file's address. Whoever writes the log must not reach other files by the run's credentials or mounts. */
  private Path inside(String base, FileStatus file) {
    Path path = new Path(file.getPath()); // which resolves `..`
    if (!path.toString().startsWith(base + "/")) {
      throw new RunProblem(FailureClass.SOURCE_NOT_SUPPORTED,
          root + " names files outside of its folder, as a shallow clone does; copy the table as a whole");
    }
    return path;
  }

  /** Visits a file of the table. */
  private interface FileVisitor {
    void visit(Row file);
  }

  private void forEachFile(Engine engine, Snapshot snapshot, boolean withStats, FileVisitor visitor) throws IOException {
    ScanImpl scan = (ScanImpl) snapshot.getScanBuilder(engine).build();
    try (CloseableIterator<FilteredColumnarBatch> batches = scan.getScanFiles(engine, withStats)) {
      while (batches.hasNext()) {
        try (CloseableIterator<Row> files = batches.next().getRows()) {
          while (files.hasNext()) {
            Row file = files.next();
            if (InternalScanFileUtils.getDeletionVectorDescriptorFromRow(file) != null) {
              throw new RunProblem(FailureClass.SOURCE_NOT_SUPPORTED,
                  root + " has deletion vectors; rewrite its files with REORG TABLE … APPLY (PURGE)");
            }
            visitor.visit(file);
          }
        }
      }
    }
  }

  private Snapshot newest(Engine engine) throws IOException {
    return Table.forPath(engine, qualified().toString()).getLatestSnapshot(engine);
  }

  private Path qualified() throws IOException {
    return root.getFileSystem(conf).makeQualified(root);
  }

  private Engine engine() throws IOException {
    return engine(conf);
  }

  private static Engine engine(Configuration conf) throws IOException {
    Authorities.trust(conf);
    KerberosLogin.ensure(conf);
    return DefaultEngine.create(conf);
  }
}
