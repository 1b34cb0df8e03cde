package dev.featx.pipeline;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import io.delta.kernel.Snapshot;
import io.delta.kernel.Table;
import io.delta.kernel.data.FilteredColumnarBatch;
import io.delta.kernel.data.Row;
import io.delta.kernel.defaults.engine.DefaultEngine;
import io.delta.kernel.engine.Engine;
import io.delta.kernel.internal.InternalScanFileUtils;
import io.delta.kernel.utils.CloseableIterator;
import io.delta.kernel.utils.FileStatus;
import java.io.IOException;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** A Delta Lake table as the driver sees it: which of the files in its folder its newest version is made of. */
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
   * @throws IOException if there is no such table, or if files have rows that are deleted but still in them
   */
  public String files() throws IOException {
    Authorities.trust(conf);
    KerberosLogin.ensure(conf);
    Path qualified = root.getFileSystem(conf).makeQualified(root);
    Engine engine = DefaultEngine.create(conf);
    Snapshot newest = Table.forPath(engine, qualified.toString()).getLatestSnapshot(engine);
    ArrayNode found = new ObjectMapper().createArrayNode();
    String base = qualified.toUri().getPath();
    try (CloseableIterator<FilteredColumnarBatch> batches = newest.getScanBuilder(engine).build().getScanFiles(engine)) {
      while (batches.hasNext()) {
        try (CloseableIterator<Row> files = batches.next().getRows()) {
          while (files.hasNext()) {
            add(found, base, files.next());
          }
        }
      }
    }
    return found.toString();
  }

  private void add(ArrayNode found, String base, Row file) throws UnsupportedSource {
    if (InternalScanFileUtils.getDeletionVectorDescriptorFromRow(file) != null) {
      throw new UnsupportedSource(root + " marks rows as deleted that are still in its files (deletion vectors): rewrite them "
          + "with REORG TABLE … APPLY (PURGE)");
    }
    FileStatus status = InternalScanFileUtils.getAddFileStatus(file);
    String path = new Path(status.getPath()).toUri().getPath().substring(base.length() + 1);
    found.addArray().add(path).add(status.getSize()).add(status.getModificationTime());
  }
}
