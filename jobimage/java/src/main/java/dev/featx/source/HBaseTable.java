package dev.featx.source;

import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.util.HexFormat;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ForkJoinPool;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.HConstants;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.AsyncConnection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.mob.MobConstants;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * The column of an HBase table that holds images.
 *
 * @param quorum ZooKeeper's hosts and ports; empty if a snapshot is read
 * @param znode under which the cluster is registered
 * @param table its name, with the namespace unless that is the default one
 * @param family the column family
 * @param qualifier the column in it
 * @param since older cells are skipped, in milliseconds like the cells' timestamps; 0 for no limit
 * @param until exclusive upper bound of timestamps; Long.MAX_VALUE for no limit
 * @param snapshot read instead of the table, or null
 * @param include regular expression of the keys of images ({@link ImageKeys#folded})
 * @param exclude regular expression of the keys that are left out anyway
 */
record HBaseTable(String quorum, String znode, String table, String family, String qualifier, long since, long until,
    HBaseSnapshot snapshot, String include, String exclude) implements Serializable {
  private static final ConcurrentHashMap<String, AsyncConnection> CONNECTIONS = new ConcurrentHashMap<>();
  private static final int READ_AHEAD = 4 << 20; // bytes that a scanner buffers

  TableName name() {
    return TableName.valueOf(table);
  }

  byte[] familyBytes() {
    return Bytes.toBytes(family);
  }

  byte[] qualifierBytes() {
    return Bytes.toBytes(qualifier);
  }

  /** Returns this JVM's connection to the cluster; it is shared by all shards and never closed. */
  AsyncConnection connection(Configuration conf) throws IOException {
    AsyncConnection open = CONNECTIONS.get(quorum + znode);
    if (open == null || open.isClosed()) {
      try {
        open = CONNECTIONS.compute(quorum + znode, (key, old) -> old != null && !old.isClosed() ? old : connect(conf));
      } catch (UncheckedIOException e) {
        throw e.getCause();
      }
    }
    return open;
  }

  private AsyncConnection connect(Configuration conf) {
    try {
      return ConnectionFactory.createAsyncConnection(configured(conf)).get();
    } catch (ExecutionException e) {
      // Retryable, so not a RunProblem yet.
      IOException unresponsive = new ConnectException("HBase at " + quorum + " did not respond");
      unresponsive.initCause(e.getCause());
      throw new UncheckedIOException(unresponsive);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("the task was interrupted", e);
    }
  }

  private Configuration configured(Configuration conf) {
    Configuration configured = HBaseConfiguration.create(conf);
    configured.set(HConstants.ZOOKEEPER_QUORUM, quorum);
    configured.set(HConstants.ZOOKEEPER_ZNODE_PARENT, znode);
    return configured;
  }

  /** Returns a scan of rows that bypasses the servers' block cache, since each block is read once. */
  Scan scan(byte[] start, byte[] stop) throws IOException {
    return new Scan().withStartRow(start).withStopRow(stop).addColumn(familyBytes(), qualifierBytes()).setCacheBlocks(false)
        .setMaxResultSize(READ_AHEAD).setTimeRange(since, until);
  }

  /** Returns the same scan without the values of cells that have files of their own (MOB). */
  static Scan withoutFiles(Scan scan) {
    scan.setAttribute(MobConstants.MOB_SCAN_RAW, Bytes.toBytes(true));
    return scan;
  }

  /** Opens a scanner of the table or its snapshot. */
  ResultScanner scanner(Configuration conf, Scan scan) throws IOException {
    return snapshot != null ? snapshot.scanner(conf, scan)
        : connection(conf).getTable(name(), ForkJoinPool.commonPool()).getScanner(scan);
  }

  /** Parses bytes in hexadecimal. */
  static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex);
  }
}
