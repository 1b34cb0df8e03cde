package dev.featx.table;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import dev.featx.security.Authorities;
import dev.featx.security.KerberosLogin;
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
 * A Delta Lake table as the driver sees it: what its newest version is made of, and what is asked of those who write to it.
 *
 * <p>Commits are the driver's own (featx_job/table/delta_log.py): Delta's store for S3 takes one writer for granted.
 */
public final class DeltaTable {
  private final Path root;
  private final Configuration conf;

  /**
   * Names a table; nothing is asked yet.
   *
   * @param uri of its folder
   * @param settings Hadoop's
   */
  public DeltaTable(String uri, Map<String, String> settings) {
    this.root = new Path(uri);
    this.conf = new Configuration();
    settings.forEach(conf::set);
  }

  /**
   * Returns the files of the newest version, as JSON: [[path within the folder, size, milliseconds of the last change]].
   *
   * @throws IOException if there is no such table
   * @throws RunProblem SourceNotSupported, if files have rows that are deleted but still in them
   */
  public String files() throws IOException {
    ArrayNode found = new ObjectMapper().createArrayNode();
    Engine engine = engine();
    String base = qualified().toUri().getPath();
    each(engine, newest(engine), false, file -> {
      FileStatus status = InternalScanFileUtils.getAddFileStatus(file);
      String path = new Path(status.getPath()).toUri().getPath().substring(base.length() + 1);
      found.addArray().add(path).add(status.getSize()).add(status.getModificationTime());
    });
    return found.toString();
  }

  /**
   * Returns what a writer has to know of the newest version, as JSON: version; writer, the protocol's version for writers, and
   * features; schema and configuration; partitions; files, each with path as the log has it, uri, and stats, a text of JSON or
   * null.
   *
   * @throws IOException as {@link #files}
   */
  public String written() throws IOException {
    Engine engine = engine();
    SnapshotImpl newest = (SnapshotImpl) newest(engine);
    ObjectNode found = new ObjectMapper().createObjectNode();
    found.put("version", newest.getVersion(engine));
    found.put("writer", newest.getProtocol().getMinWriterVersion());
    found.set("features", new ObjectMapper().valueToTree(newest.getProtocol().getWriterFeatures()));
    found.put("schema", newest.getMetadata().getSchemaString());
    found.set("configuration", new ObjectMapper().valueToTree(newest.getMetadata().getConfiguration()));
    found.set("partitions", new ObjectMapper().valueToTree(newest.getPartitionColumnNames(engine)));
    ArrayNode files = found.putArray("files");
    each(engine, newest, true, file -> {
      Row added = file.getStruct(InternalScanFileUtils.ADD_FILE_ORDINAL);
      ObjectNode one = files.addObject();
      one.put("path", added.getString(added.getSchema().indexOf("path")));
      one.put("uri", InternalScanFileUtils.getAddFileStatus(file).getPath());
      int stats = added.getSchema().indexOf("stats");
      one.put("stats", added.isNullAt(stats) ? null : added.getString(stats));
    });
    return found.toString();
  }

  /**
   * Writes a checkpoint, so that readers need not read all commits since the last one.
   *
   * @param version the newest
   * @throws IOException if it can't be written
   */
  public void checkpoint(long version) throws IOException {
    Engine engine = engine();
    try {
      Table.forPath(engine, qualified().toString()).checkpoint(engine, version);
    } catch (CheckpointAlreadyExistsException e) {
      // Another writer's, of the same commits.
    }
  }

  /** What is done with a file of the table. */
  private interface EachFile {
    void see(Row file);
  }

  private void each(Engine engine, Snapshot snapshot, boolean withStats, EachFile look) throws IOException {
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
            look.see(file);
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
    Authorities.trust(conf);
    KerberosLogin.ensure(conf);
    return DefaultEngine.create(conf);
  }
}
