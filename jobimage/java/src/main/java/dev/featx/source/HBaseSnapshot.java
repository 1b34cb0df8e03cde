package dev.featx.source;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hbase.HConstants;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.RegionInfo;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.TableSnapshotScanner;
import org.apache.hadoop.hbase.io.HFileLink;
import org.apache.hadoop.hbase.io.hfile.HFile;
import org.apache.hadoop.hbase.mob.MobUtils;
import org.apache.hadoop.hbase.shaded.protobuf.ProtobufUtil;
import org.apache.hadoop.hbase.shaded.protobuf.generated.SnapshotProtos.SnapshotRegionManifest;
import org.apache.hadoop.hbase.shaded.protobuf.generated.SnapshotProtos.SnapshotRegionManifest.FamilyFiles;
import org.apache.hadoop.hbase.shaded.protobuf.generated.SnapshotProtos.SnapshotRegionManifest.StoreFile;
import org.apache.hadoop.hbase.snapshot.RestoreSnapshotHelper;
import org.apache.hadoop.hbase.snapshot.SnapshotDescriptionUtils;
import org.apache.hadoop.hbase.snapshot.SnapshotManifest;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * A table as of a snapshot, read from HBase's files without region servers.
 *
 * <p>The driver restores the snapshot once, which writes links to files and copies nothing; executors read through the links.
 *
 * @param name of the snapshot
 * @param rootDir HBase's root directory (hbase.rootdir)
 * @param restoreDir a folder for the links, in the same file system and outside of rootDir
 */
record HBaseSnapshot(String name, String rootDir, String restoreDir) implements Serializable {
  /** A region of the snapshot, and the size of its files in bytes. */
  record Region(RegionInfo info, long bytes, List<Path> files) {}

  /**
   * Writes the links, unless an earlier attempt did, and returns the regions in order.
   *
   * @param expected the table that the snapshot must be of
   */
  List<Region> restore(Configuration conf, TableName expected) throws IOException {
    Configuration configured = configured(conf);
    FileSystem files = root().getFileSystem(configured);
    Path folder = SnapshotDescriptionUtils.getCompletedSnapshotDir(name, root());
    if (!files.exists(folder)) {
      throw new RunProblem(FailureClass.SOURCE_NOT_FOUND, "HBase snapshot " + name + " not found below " + rootDir);
    }
    SnapshotManifest manifest =
        SnapshotManifest.open(configured, files, folder, SnapshotDescriptionUtils.readSnapshotInfo(files, folder));
    TableName table = manifest.getTableDescriptor().getTableName();
    if (!table.equals(expected)) {
      throw new RunProblem(FailureClass.SOURCE_NOT_FOUND,
          "HBase snapshot " + name + " is of table " + table + ", not of " + expected);
    }
    if (manifest.getRegionManifests().stream().anyMatch(HBaseSnapshot::isOfLargeCells)) {
      // HBase's scanner of snapshots takes their files for a region, and returns their rows twice.
      throw new RunProblem(FailureClass.SOURCE_NOT_SUPPORTED, "HBase snapshot " + name + " holds MOB files, whose rows cannot be"
          + " read from a snapshot; read the table instead, or one that is cloned from the snapshot");
    }
    RestoreSnapshotHelper.copySnapshotForScanner(configured, files, root(), new Path(restoreDir), name);
    List<Region> regions = new ArrayList<>();
    for (SnapshotRegionManifest region : manifest.getRegionManifests()) {
      regions.add(region(configured, table, region));
    }
    regions.removeIf(region -> region.info().isSplitParent());
    regions.sort((left, right) -> RegionInfo.COMPARATOR.compare(left.info(), right.info()));
    return regions;
  }

  private static boolean isOfLargeCells(SnapshotRegionManifest manifest) {
    return MobUtils.isMobRegionInfo(ProtobufUtil.toRegionInfo(manifest.getRegionInfo()));
  }

  private Region region(Configuration conf, TableName table, SnapshotRegionManifest manifest) throws IOException {
    RegionInfo info = ProtobufUtil.toRegionInfo(manifest.getRegionInfo());
    long bytes = 0;
    List<Path> files = new ArrayList<>();
    for (FamilyFiles family : manifest.getFamilyFilesList()) {
      for (StoreFile file : family.getStoreFilesList()) {
        bytes += file.getFileSize();
        if (!file.hasReference()) {
          HFileLink link =
              HFileLink.build(conf, table, info.getEncodedName(), family.getFamilyName().toStringUtf8(), file.getName());
          files.add(link.getAvailablePath(root().getFileSystem(conf)));
        }
      }
    }
    return new Region(info, bytes, files);
  }

  /** Returns the last row of a region's files, or null if they do not record it. */
  byte[] lastRow(Configuration conf, Region region) throws IOException {
    byte[] last = null;
    for (Path file : region.files()) {
      try (HFile.Reader reader = HFile.createReader(file.getFileSystem(conf), file, configured(conf))) {
        Optional<byte[]> row = reader.getLastRowKey();
        if (row.isPresent() && (last == null || Bytes.compareTo(last, row.get()) < 0)) {
          last = row.get();
        }
      }
    }
    return last;
  }

  /** Opens a scanner. */
  ResultScanner scanner(Configuration conf, Scan scan) throws IOException {
    return new TableSnapshotScanner(configured(conf), root(), new Path(restoreDir), name, scan, true);
  }

  /** Removes the links. */
  void cleanUp(Configuration conf) throws IOException {
    root().getFileSystem(conf).delete(new Path(restoreDir), true);
  }

  private Path root() {
    return new Path(rootDir);
  }

  private Configuration configured(Configuration conf) {
    Configuration configured = new Configuration(conf);
    configured.set(HConstants.HBASE_DIR, rootDir);
    return configured;
  }
}
