package dev.featx.source;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.featx.contract.Contract;
import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import dev.featx.security.KerberosLogin;
import java.io.IOException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.RegionMetrics;
import org.apache.hadoop.hbase.ServerName;
import org.apache.hadoop.hbase.Size;
import org.apache.hadoop.hbase.client.AsyncAdmin;
import org.apache.hadoop.hbase.client.RegionInfo;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.util.Bytes;

/** What the driver asks of HBase, to cut a table into shards; answers are JSON, rows in hexadecimal digits. */
public final class HBaseRegions {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HBaseTable table;
  private final Configuration conf;
  private List<HBaseSnapshot.Region> restored = List.of();

  /**
   * Prepares; HBase is not asked yet.
   *
   * @param source the resource's source, see {@link HBaseTable}
   * @param settings Hadoop's and HBase's
   */
  public HBaseRegions(String source, Map<String, String> settings) {
    this.table = Contract.read(source, HBaseTable.class);
    this.conf = new Configuration(false);
    settings.forEach(conf::set);
  }

  /**
   * Returns the table's regions in order: [{start, stop, bytes}], with the bytes of all its columns.
   *
   * @throws RunProblem SourceNotFound, if there is no such table or column family
   * @throws IOException if HBase does not respond, or a login is refused
   */
  public String regions() throws IOException, InterruptedException {
    KerberosLogin.ensure(conf);
    return table.snapshot() == null ? regionsOfTable() : regionsOfSnapshot();
  }

  private String regionsOfSnapshot() throws IOException {
    ArrayNode found = JSON.createArrayNode();
    restored = table.snapshot().restore(conf, table.name());
    for (HBaseSnapshot.Region region : restored) {
      add(found, region.info(), region.bytes());
    }
    return found.toString();
  }

  private String regionsOfTable() throws IOException, InterruptedException {
    AsyncAdmin admin = table.connection(conf).getAdmin();
    if (!of(admin.tableExists(table.name()))) {
      throw new RunProblem(FailureClass.SOURCE_NOT_FOUND, "HBase table not found: " + table.table());
    }
    if (!of(admin.getDescriptor(table.name())).hasColumnFamily(table.familyBytes())) {
      throw new RunProblem(FailureClass.SOURCE_NOT_FOUND,
          "HBase table " + table.table() + " has no column family " + table.family());
    }
    Map<String, Long> sizes = sizes(admin);
    ArrayNode found = JSON.createArrayNode();
    List<RegionInfo> regions = of(admin.getRegions(table.name()));
    regions.sort(RegionInfo.COMPARATOR);
    for (RegionInfo region : regions) {
      add(found, region, sizes.getOrDefault(region.getEncodedName(), 0L));
    }
    return found.toString();
  }

  private static void add(ArrayNode found, RegionInfo region, long bytes) {
    found.addObject().put("start", hex(region.getStartKey())).put("stop", hex(region.getEndKey())).put("bytes", bytes);
  }

  private Map<String, Long> sizes(AsyncAdmin admin) throws IOException, InterruptedException {
    Map<String, Long> sizes = new HashMap<>();
    for (ServerName server : of(admin.getRegionServers())) {
      for (RegionMetrics region : of(admin.getRegionMetrics(server, table.name()))) {
        double bytes = region.getStoreFileSize().get(Size.Unit.BYTE) + region.getMemStoreSize().get(Size.Unit.BYTE);
        sizes.put(RegionInfo.encodeRegionName(region.getRegionName()), (long) bytes);
      }
    }
    return sizes;
  }

  /**
   * Returns some rows of a range and their images' sizes: {rows: first ones and the last one, bytes: of the first ones}.
   *
   * @param start the first row, in hexadecimal digits
   * @param stop the row behind the last
   * @param count how many first ones
   * @throws IOException if HBase does not answer
   */
  public String sample(String start, String stop, int count) throws IOException {
    byte[] first = HBaseTable.bytes(start);
    byte[] behind = HBaseTable.bytes(stop);
    ObjectNode found = JSON.createObjectNode();
    ArrayNode rows = found.putArray("rows");
    ArrayNode bytes = found.putArray("bytes");
    read(table.scan(first, behind).setLimit(count), rows, bytes);
    if (table.snapshot() != null) {
      lastOfSnapshot(first, behind, rows);
    } else {
      Scan backwards = table.scan(new byte[0], first).setReversed(true).withStartRow(behind, false).withStopRow(first, true);
      read(backwards.setLimit(1), rows, JSON.createArrayNode());
    }
    return found.toString();
  }

  /** Adds the last row of a region's files, or where the range ends if that is before it: a snapshot can't be read backwards. */
  private void lastOfSnapshot(byte[] first, byte[] behind, ArrayNode rows) throws IOException {
    for (HBaseSnapshot.Region region : restored) {
      byte[] last = region.info().containsRow(first) ? table.snapshot().lastRow(conf, region) : null;
      if (last != null && Bytes.compareTo(first, last) < 0) {
        rows.add(hex(behind.length > 0 && Bytes.compareTo(behind, last) < 0 ? behind : last));
      }
    }
  }

  /** Removes what reading a snapshot has left in its file system. */
  public void forget() throws IOException {
    KerberosLogin.ensure(conf);
    if (table.snapshot() != null) {
      table.snapshot().forget(conf);
    }
  }

  private void read(Scan scan, ArrayNode rows, ArrayNode bytes) throws IOException {
    try (ResultScanner scanner = table.scanner(conf, scan)) {
      for (Result row = scanner.next(); row != null; row = scanner.next()) {
        rows.add(hex(row.getRow()));
        bytes.add(row.value().length);
      }
    }
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  private static <T> T of(java.util.concurrent.Future<T> answer) throws IOException, InterruptedException {
    try {
      return answer.get();
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IOException cause ? cause : new IOException(e.getCause());
    }
  }
}
