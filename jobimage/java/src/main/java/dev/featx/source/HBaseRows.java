package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import java.io.IOException;
import java.util.Arrays;
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
 * <p>A range of one row is an image that was requested by its key: without the row it is missing.
 *
 * <p>HBase's asynchronous scanner prefetches a few megabytes, renews its lease while the nets are busy, and resumes after the
 * last row when a region moves, splits, or its server dies.
 *
 * @param ranges of rows
 * @param limit maximum rows per range; 0 for all
 * @param since older cells are skipped, whatever the table's setting
 */
record HBaseRows(List<Range> ranges, int limit, long since) implements Images.Part {
  private static final int MOST_FAULTS = 3; // before rows are read one by one

  /** From a row, inclusive (empty: the first), to another, exclusive (empty: the end). */
  record Range(byte[] start, byte[] stop) {
    /** Returns whether no other row than the first can be in the range. */
    boolean isOneRow() {
      return start.length > 0 && Arrays.equals(stop, Arrays.copyOf(start, start.length + 1));
    }
  }

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
    private int faults; // in a row
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
        Image image = more ? patience.withRetry("reading rows of " + table.table(), this::nextImage) : null;
        if (image == null) {
          close();
          Range finished = range;
          range = null;
          if (taken == 0 && finished.isOneRow()) {
            return missing(finished.start());
          }
          continue;
        }
        if (isSelected(last)) {
          taken++;
          return image;
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

    /** Returns the image of a row that was requested by its key, but has no cell to read. */
    private static Image missing(byte[] row) {
      return new Image(Bytes.toStringBinary(row), 0, () -> {
        throw new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.MISSING,
            "the row does not exist, or has no cell in spec.source.hbase.column between since and until");
      });
    }

    /** Returns the image of the row after the last one, from a new scanner if the old one failed. */
    private Image nextImage() throws IOException {
      try {
        if (scanner == null) {
          scanner = table.scanner(conf, limit > 0 ? rest().setLimit(limit - taken) : rest());
        }
        Result row = scanner.next();
        faults = 0;
        return row == null ? null : image(row);
      } catch (IOException e) {
        close();
        if (++faults < MOST_FAULTS) {
          throw e;
        }
        return imageAlone();
      }
    }

    /** Reads the next row alone. If its server cannot read the cell's own file (MOB), only that row is unreadable. */
    private Image imageAlone() throws IOException {
      try (ResultScanner one = table.scanner(conf, rest().setLimit(1))) {
        Result row = one.next();
        return row == null ? null : image(row);
      } catch (IOException e) {
        try (ResultScanner reference = table.scanner(conf, HBaseTable.withoutFiles(rest()).setLimit(1))) {
          Result row = reference.next();
          if (row == null) {
            throw e;
          }
          last = row.getRow();
          faults = 0;
          return unreadable(last);
        }
      }
    }

    private Scan rest() throws IOException {
      Scan scan = table.scan(range.start(), range.stop());
      scan.setTimeRange(Math.max(since, table.since()), table.until());
      return last == null ? scan : scan.withStartRow(last, false);
    }

    private static Image unreadable(byte[] row) {
      return new Image(Bytes.toStringBinary(row), 0, () -> {
        throw new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.UNREADABLE,
            "HBase cannot read the file of this cell (MOB), but finds the row; restore the file, or store the image again");
      });
    }

    private Image image(Result row) {
      last = row.getRow();
      String key = Bytes.toStringBinary(last);
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
