package dev.featx.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.DoNotRetryIOException;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * Pictures that are cells of an HBase table, in ranges of rows.
 *
 * <p>The library's asynchronous scanner reads ahead into a few megabytes, keeps its lease while the nets are busy, and goes
 * on behind the last row when a region moves, splits, or its server dies.
 *
 * @param ranges of rows: the first one, and the one behind the last
 * @param limit rows of each range at the most; 0 for all
 */
record HBaseRows(List<Range> ranges, int limit) implements Pictures.Part {
  /** From a row (or the first one, where it is empty) up to but without another (or the end). */
  record Range(byte[] start, byte[] stop) {}

  static HBaseRows of(JsonNode shard) {
    List<Range> ranges = new ArrayList<>();
    for (JsonNode each : shard.get("ranges")) {
      ranges.add(new Range(HBaseTable.bytes(each.get(0).asText()), HBaseTable.bytes(each.get(1).asText())));
    }
    return new HBaseRows(ranges, shard.path("limit").asInt(0));
  }

  @Override
  public Pictures open(Plan plan, Configuration conf) {
    return new Scanning(plan.hbase(), conf, plan.maxBytes());
  }

  private final class Scanning implements Pictures {
    private final HBaseTable table;
    private final Configuration conf;
    private final long maxBytes;
    private final Iterator<Range> left = ranges.iterator();
    private ResultScanner scanner;
    private String last;

    Scanning(HBaseTable table, Configuration conf, long maxBytes) {
      this.table = table;
      this.conf = conf;
      this.maxBytes = maxBytes;
    }

    @Override
    public Picture next() throws IOException {
      while (scanner != null || left.hasNext()) {
        try {
          if (scanner == null) {
            scanner = opened(left.next());
          }
          Result row = scanner.next();
          if (row != null) {
            return picture(row);
          }
        } catch (DoNotRetryIOException e) {
          throw e; // a table or column that is not there, or is not to be read
        } catch (IOException e) {
          throw new IOException("the store did not deliver rows of " + table.table() + (last == null ? "" : " after " + last), e);
        }
        close();
      }
      return null;
    }

    private ResultScanner opened(Range range) throws IOException {
      var scan = table.scan(range.start(), range.stop());
      return table.connection(conf).getTable(table.name(), ForkJoinPool.commonPool()).getScanner(limit > 0 ? scan.setLimit(limit) : scan);
    }

    private Picture picture(Result row) {
      last = Bytes.toStringBinary(row.getRow());
      byte[] bytes = row.value();
      if (bytes.length > maxBytes) {
        long size = bytes.length;
        return new Picture(last, 0, () -> {
          throw PictureProblem.tooLarge(size, maxBytes);
        });
      }
      return new Picture(last, bytes.length, () -> bytes);
    }

    @Override
    public void close() {
      if (scanner != null) {
        scanner.close();
        scanner = null;
      }
    }
  }
}
