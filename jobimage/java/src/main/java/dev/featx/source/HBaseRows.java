package dev.featx.source;

import dev.featx.image.ImageProblem;
import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * Images in the cells of an HBase table, in ranges of rows.
 *
 * <p>HBase's asynchronous scanner prefetches a few megabytes, renews its lease while the nets are busy, and resumes after the
 * last row when a region moves, splits, or its server dies.
 *
 * @param ranges of rows
 * @param limit maximum rows per range; 0 for all
 * @param since older cells are skipped, whatever the table's setting
 */
record HBaseRows(List<Range> ranges, int limit, long since) implements Images.Part {
  /** From a row, inclusive (empty: the first), to another, exclusive (empty: the end). */
  record Range(byte[] start, byte[] stop) {}

  static HBaseRows of(List<ShardLine.RowRange> ranges, long since, int limit) {
    List<Range> rows = ranges.stream().map(range -> new Range(HBaseTable.bytes(range.start()), HBaseTable.bytes(range.stop()))).toList();
    return new HBaseRows(rows, limit, since);
  }

  @Override
  public Images open(ReadSettings settings, Configuration conf) {
    return new Scanning(settings, conf);
  }

  private final class Scanning implements Images {
    private final HBaseTable table;
    private final Configuration conf;
    private final long maxBytes;
    private final Patience patience;
    private final Pattern include;
    private final Pattern exclude;
    private final Iterator<Range> remaining = ranges.iterator();
    private Range range;
    private ResultScanner scanner;
    private byte[] last;
    private int taken;
    private int skipped;

    Scanning(ReadSettings settings, Configuration conf) {
      this.table = settings.hbase();
      this.include = Pattern.compile(table.include(), Pattern.DOTALL);
      this.exclude = Pattern.compile(table.exclude(), Pattern.DOTALL);
      this.conf = conf;
      this.maxBytes = settings.maxBytes();
      this.patience = settings.patience();
    }

    @Override
    public Image next() throws IOException, InterruptedException {
      while (range != null || remaining.hasNext()) {
        if (range == null) {
          range = remaining.next();
          last = null;
          taken = 0;
        }
        boolean more = limit == 0 || taken < limit;
        Result row = more ? patience.withRetry("reading rows of " + table.table(), this::nextRow) : null;
        if (row == null) {
          close();
          range = null;
          continue;
        }
        last = row.getRow();
        if (isSelected(last)) {
          taken++;
          return image(row);
        }
        skipped++;
        Patience.checkNotKilled(); // a shard may hold any number of them
      }
      return null;
    }

    private boolean isSelected(byte[] row) {
      String key = ImageKeys.folded(ImageKeys.of(row));
      return include.matcher(key).matches() && !exclude.matcher(key).matches();
    }

    @Override
    public int skipped() {
      return skipped;
    }

    /** Returns the row after the last one, from a new scanner if the old one failed. */
    private Result nextRow() throws IOException {
      if (scanner == null) {
        Scan scan = table.scan(range.start(), range.stop());
        scan.setTimeRange(Math.max(since, table.since()), table.until());
        if (last != null) {
          scan.withStartRow(last, false);
        }
        scanner = table.scanner(conf, limit > 0 ? scan.setLimit(limit - taken) : scan);
      }
      try {
        return scanner.next();
      } catch (IOException e) {
        close();
        throw e;
      }
    }

    private Image image(Result row) {
      String key = Bytes.toStringBinary(row.getRow());
      byte[] bytes = row.value();
      if (bytes.length > maxBytes) {
        long size = bytes.length;
        return new Image(key, 0, () -> {
          throw ImageProblem.tooLarge(size, maxBytes);
        });
      }
      return new Image(key, bytes.length, () -> bytes);
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
