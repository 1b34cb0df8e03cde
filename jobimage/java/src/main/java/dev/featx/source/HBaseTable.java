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
import org.apache.hadoop.hbase.util.Bytes;

/**
 * The column of an HBase table that holds images.
 *
 * @param quorum ZooKeeper's hosts, each with its port; empty where a snapshot is read
 * @param znode below which the cluster is registered there
 * @param table with its namespace, where that is not the default one
 * @param family the column family
 * @param qualifier the column in it
 * @param since cells older than this are passed over, in milliseconds as the cells' timestamps are; 0 for none
 * @param until cells as young as this or younger are passed over; Long.MAX_VALUE for none
 * @param snapshot read in the table's place, or null
 */
record HBaseTable(String quorum, String znode, String table, String family, String qualifier, long since, long until,
    HBaseSnapshot snapshot) implements Serializable {
  private static final ConcurrentHashMap<String, AsyncConnection> CONNECTIONS = new ConcurrentHashMap<>();
  private static final int READ_AHEAD = 4 << 20; // bytes of a scanner; the library reads on as long as fewer wait

  TableName name() {
    return TableName.valueOf(table);
  }

  byte[] familyBytes() {
    return Bytes.toBytes(family);
  }

  byte[] qualifierBytes() {
    return Bytes.toBytes(qualifier);
  }

  /** Returns this JVM's connection to the cluster, which is never closed: shards come and go. */
  AsyncConnection connection(Configuration conf) throws IOException {
    AsyncConnection known = CONNECTIONS.get(quorum + znode);
    if (known == null || known.isClosed()) {
      try {
        known = CONNECTIONS.compute(quorum + znode, (key, old) -> old != null && !old.isClosed() ? old : connected(conf));
      } catch (UncheckedIOException e) {
        throw e.getCause();
      }
    }
    return known;
  }

  private AsyncConnection connected(Configuration conf) {
    try {
      return ConnectionFactory.createAsyncConnection(configured(conf)).get();
    } catch (ExecutionException e) {
      // Worth waiting for, so not a judgement yet.
      IOException silent = new ConnectException("HBase at " + quorum + " did not respond");
      silent.initCause(e.getCause());
      throw new UncheckedIOException(silent);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("the task was ended", e);
    }
  }

  private Configuration configured(Configuration conf) {
    Configuration configured = HBaseConfiguration.create(conf);
    configured.set(HConstants.ZOOKEEPER_QUORUM, quorum);
    configured.set(HConstants.ZOOKEEPER_ZNODE_PARENT, znode);
    return configured;
  }

  /** Returns a scan of rows; blocks that are read once have no place in the servers' cache. */
  Scan scan(byte[] start, byte[] stop) throws IOException {
    return new Scan().withStartRow(start).withStopRow(stop).addColumn(familyBytes(), qualifierBytes()).setCacheBlocks(false)
        .setMaxResultSize(READ_AHEAD).setTimeRange(since, until);
  }

  /** Returns the rows that a scan finds, of the table or of its snapshot. */
  ResultScanner scanner(Configuration conf, Scan scan) throws IOException {
    return snapshot != null ? snapshot.scanner(conf, scan)
        : connection(conf).getTable(name(), ForkJoinPool.commonPool()).getScanner(scan);
  }

  /** Returns bytes that were written as hexadecimal digits. */
  static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex);
  }
}
