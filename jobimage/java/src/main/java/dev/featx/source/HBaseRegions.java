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

/** The driver's queries to HBase for splitting a table into shards; results are JSON, row keys in hexadecimal. */
public final class HBaseRegions {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HBaseTable table;
  private final Configuration conf;
  private List<HBaseSnapshot.Region> restored = List.of();

  /**
   * Creates a handle; HBase is not queried yet.
   *
   * @param source the resource's source, see {@link HBaseTable}
   * @param settings those of Hadoop and HBase
   */
  public HBaseRegions(String source, Map<String, String> settings) {
    this.table = Contract.read(source, HBaseTable.class);
    this.conf = HadoopSettings.withoutDefaults(settings);
  }

  /**
   * Returns the table's regions in order: [{start, stop, bytes}], where bytes include all columns.
   *
   * @throws RunProblem SourceNotFound, if the table or column family does not exist
   * @throws IOException if HBase does not respond or the login fails
   */
  public String regions() throws IOException, InterruptedException {
    KerberosLogin.ensure(conf);
    return table.snapshot() == null ? regionsOfTable() : regionsOfSnapshot();
  }

  private String regionsOfSnapshot() throws IOException {
    ArrayNode array = JSON.createArrayNode();
    restored = table.snapshot().restore(conf, table.name());
    for (HBaseSnapshot.Region region : restored) {
      add(array, region.info(), region.bytes());
    }
    return array.toString();
  }

  private String regionsOfTable() throws IOException, InterruptedException {
    AsyncAdmin admin = table.connection(conf).getAdmin();
    if (!await(admin.tableExists(table.name()))) {
      throw new RunProblem(FailureClass.SOURCE_NOT_FOUND, "HBase table not found: " + table.table());
    }
    if (!await(admin.getDescriptor(table.name())).hasColumnFamily(table.familyBytes())) {
      throw new RunProblem(FailureClass.SOURCE_NOT_FOUND,
          "HBase table " + table.table() + " has no column family " + table.family());
    }
    Map<String, Long> sizes = sizes(admin);
    ArrayNode array = JSON.createArrayNode();
    List<RegionInfo> regions = await(admin.getRegions(table.name()));
    regions.sort(RegionInfo.COMPARATOR);
    for (RegionInfo region : regions) {
      add(array, region, sizes.getOrDefault(region.getEncodedName(), 0L));
    }
    return array.toString();
  }

  private static void add(ArrayNode array, RegionInfo region, long bytes) {
    array.addObject().put("start", hex(region.getStartKey())).put("stop", hex(region.getEndKey())).put("bytes", bytes);
  }

  private Map<String, Long> sizes(AsyncAdmin admin) throws IOException, InterruptedException {
    Map<String, Long> sizes = new HashMap<>();
    for (ServerName server : await(admin.getRegionServers())) {
      for (RegionMetrics region : await(admin.getRegionMetrics(server, table.name()))) {
        double bytes = region.getStoreFileSize().get(Size.Unit.BYTE) + region.getMemStoreSize().get(Size.Unit.BYTE);
        sizes.put(RegionInfo.encodeRegionName(region.getRegionName()), (long) bytes);
      }
    }
    return sizes;
  }

  /**
   * Samples a range: {rows: the first rows and the last one, bytes: image sizes of the first rows}.
   *
   * @param start the first row, in hexadecimal
   * @param stop the row after the last
   * @param count number of first rows
   * @throws IOException if HBase does not respond
   */
  public String sample(String start, String stop, int count) throws IOException {
    byte[] first = HBaseTable.bytes(start);
    byte[] end = HBaseTable.bytes(stop);
    ObjectNode sample = JSON.createObjectNode();
    ArrayNode rows = sample.putArray("rows");
    ArrayNode bytes = sample.putArray("bytes");
    try {
      read(table.scan(first, end).setLimit(count), rows, bytes);
    } catch (IOException e) {
      // A cell may be unreadable. One row shows that the range is not empty, and is too few to split it by.
      rows.removeAll();
      bytes.removeAll();
      read(HBaseTable.withoutFiles(table.scan(first, end)).setLimit(1), rows, bytes);
    }
    if (table.snapshot() != null) {
      lastOfSnapshot(first, end, rows);
    } else {
      Scan backwards = table.scan(new byte[0], first).setReversed(true).withStartRow(end, false).withStopRow(first, true);
      read(backwards.setLimit(1), rows, JSON.createArrayNode());
    }
    return sample.toString();
  }

  /** Adds the last row of a region's files, or the range's end if it comes first: a snapshot can't be read backwards. */
  private void lastOfSnapshot(byte[] first, byte[] end, ArrayNode rows) throws IOException {
    for (HBaseSnapshot.Region region : restored) {
      byte[] last = region.info().containsRow(first) ? table.snapshot().lastRow(conf, region) : null;
      if (last != null && Bytes.compareTo(first, last) < 0) {
        rows.add(hex(end.length > 0 && Bytes.compareTo(end, last) < 0 ? end : last));
      }
    }
  }

  /** Removes the files that reading a snapshot left in its file system. */
  public void cleanUp() throws IOException {
    KerberosLogin.ensure(conf);
    if (table.snapshot() != null) {
      table.snapshot().cleanUp(conf);
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

  private static <T> T await(java.util.concurrent.Future<T> future) throws IOException, InterruptedException {
    try {
      return future.get();
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IOException cause ? cause : new IOException(e.getCause());
    }
  }
}
