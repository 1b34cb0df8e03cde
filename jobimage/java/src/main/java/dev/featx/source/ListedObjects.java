package dev.featx.source;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.HadoopReadOptions;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.io.ColumnIOFactory;
import org.apache.parquet.io.RecordReader;
import org.apache.parquet.schema.MessageType;

/**
 * Images whose keys are rows of the source's list, which an executor reads for itself: the list of a large source would neither fit
 * into the driver's memory nor through its network.
 *
 * @param base prefix that turns a key into a Hadoop URI
 * @param spans of the list, in the order of the rows
 */
record ListedObjects(String base, List<ShardLine.Span> spans) implements Images.Part {
  @Override
  public Images open(ReadSettings settings, Configuration conf) throws IOException {
    List<ShardLine.ListedObject> listed = new ArrayList<>();
    for (ShardLine.Span span : spans) {
      listed.addAll(read(span, settings, conf));
    }
    return StoredObjects.of(base, listed).open(settings, conf);
  }

  private static List<ShardLine.ListedObject> read(ShardLine.Span span, ReadSettings settings, Configuration conf) throws IOException {
    try {
      return settings.patience().withRetry("reading " + span.piece(), () -> rows(span, conf));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while reading " + span.piece(), e);
    }
  }

  /** Returns rows of a piece; row groups without any of them are not fetched. */
  private static List<ShardLine.ListedObject> rows(ShardLine.Span span, Configuration conf) throws IOException {
    List<ShardLine.ListedObject> listed = new ArrayList<>();
    HadoopInputFile file = HadoopInputFile.fromPath(new Path(ImageKeys.path(span.piece())), conf);
    try (ParquetFileReader piece = ParquetFileReader.open(file, HadoopReadOptions.builder(conf).build())) {
      MessageType all = piece.getFileMetaData().getSchema();
      MessageType columns = new MessageType(all.getName(), all.getType("key"), all.getType("size"));
      piece.setRequestedSchema(columns);
      long start = 0;
      for (BlockMetaData group : piece.getRowGroups()) {
        long end = start + group.getRowCount();
        if (end <= span.first() || start >= span.first() + span.rows()) {
          piece.skipNextRowGroup();
        } else {
          add(piece.readNextRowGroup(), columns, start, span, listed);
        }
        start = end;
      }
    }
    if (listed.size() != span.rows()) {
      throw new IOException(span.piece() + " has " + listed.size() + " rows of " + span.rows());
    }
    return listed;
  }

  private static void add(PageReadStore group, MessageType columns, long start, ShardLine.Span span,
      List<ShardLine.ListedObject> listed) {
    RecordReader<Group> rows =
        new ColumnIOFactory().getColumnIO(columns).getRecordReader(group, new GroupRecordConverter(columns));
    for (long row = start; row < start + group.getRowCount(); row++) {
      Group object = rows.read();
      if (row >= span.first() && row < span.first() + span.rows()) {
        listed.add(new ShardLine.ListedObject(object.getString("key", 0), object.getLong("size", 0)));
      }
    }
  }
}
