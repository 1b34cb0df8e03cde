package dev.featx.source;

import java.io.IOException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.io.api.Binary;

/** Images in a binary column of a Parquet file, named by another column. Other columns are not read. */
final class ParquetMembers implements PackedImages.Members {
  private final ParquetReader<Group> reader;
  private final String name;
  private final String content;
  private final long maxBytes;

  ParquetMembers(Path file, Configuration conf, PackedSettings settings, long maxBytes) throws IOException {
    this.name = settings.nameColumn();
    this.content = settings.contentColumn();
    this.maxBytes = maxBytes;
    this.reader = ParquetColumns.reader(file, conf, name, content);
  }

  @Override
  public PackedImages.Member next() throws IOException {
    Group row = reader.read();
    if (row == null) {
      return null;
    }
    String key = row.getFieldRepetitionCount(name) == 0 ? "" : row.getValueToString(row.getType().getFieldIndex(name), 0);
    if (row.getFieldRepetitionCount(content) == 0) {
      return new PackedImages.Member(key, new byte[0], 0); // a null counts as an empty image, which is quarantined
    }
    Binary bytes = row.getBinary(content, 0);
    return new PackedImages.Member(key, bytes.length() <= maxBytes ? bytes.getBytes() : null, bytes.length());
  }

  @Override
  public void close() throws IOException {
    reader.close();
  }
}
