package dev.featx.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.MessageType;

/** Pictures that are a binary column of a Parquet file; names are another column's values. Other columns are not read. */
final class ParquetMembers implements PackedPictures.Members {
  private final ParquetReader<Group> reader;
  private final String name;
  private final String content;
  private final long maxBytes;

  ParquetMembers(Path file, Configuration conf, JsonNode settings, long maxBytes) throws IOException {
    this.name = settings.get("nameColumn").asText();
    this.content = settings.get("contentColumn").asText();
    this.maxBytes = maxBytes;
    Configuration narrowed = new Configuration(conf);
    narrowed.set(ReadSupport.PARQUET_READ_SCHEMA, projected(file, conf).toString());
    this.reader = ParquetReader.builder(new GroupReadSupport(), file).withConf(narrowed).build();
  }

  private MessageType projected(Path file, Configuration conf) throws IOException {
    try (ParquetFileReader footer = ParquetFileReader.open(HadoopInputFile.fromPath(file, conf))) {
      MessageType schema = footer.getFileMetaData().getSchema();
      for (String column : new String[] {name, content}) {
        if (!schema.containsField(column)) {
          throw new UnsupportedSource(file + " has no column " + column);
        }
      }
      return new MessageType(schema.getName(), schema.getType(name), schema.getType(content));
    }
  }

  @Override
  public PackedPictures.Member next() throws IOException {
    Group row = reader.read();
    if (row == null) {
      return null;
    }
    String key = row.getFieldRepetitionCount(name) == 0 ? "" : row.getValueToString(row.getType().getFieldIndex(name), 0);
    if (row.getFieldRepetitionCount(content) == 0) {
      return new PackedPictures.Member(key, new byte[0], 0); // a null: an empty picture, which is quarantine's
    }
    Binary bytes = row.getBinary(content, 0);
    return new PackedPictures.Member(key, bytes.length() <= maxBytes ? bytes.getBytes() : null, bytes.length());
  }

  @Override
  public void close() throws IOException {
    reader.close();
  }
}
