package dev.featx.source;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;

/** Reads all or selected columns of Parquet files with arbitrary schemas. */
public final class ParquetColumns {
  private ParquetColumns() {}

  /** Returns a file's schema. */
  public static MessageType of(Path file, Configuration conf) throws IOException {
    try (ParquetFileReader footer = ParquetFileReader.open(HadoopInputFile.fromPath(file, conf))) {
      return footer.getFileMetaData().getSchema();
    }
  }

  /** Reads all columns of a file. */
  public static ParquetReader<Group> reader(Path file, Configuration conf) throws IOException {
    return ParquetReader.builder(new GroupReadSupport(), file).withConf(conf).build();
  }

  /**
   * Reads selected columns of a file; others are not fetched.
   *
   * @throws RunProblem SourceNotSupported, if a column is missing
   */
  public static ParquetReader<Group> reader(Path file, Configuration conf, String... names) throws IOException {
    MessageType schema = of(file, conf);
    List<Type> columns = new ArrayList<>();
    for (String name : names) {
      if (!schema.containsField(name)) {
        throw new RunProblem(FailureClass.SOURCE_NOT_SUPPORTED, file + " has no column " + name);
      }
      columns.add(schema.getType(name));
    }
    Configuration narrowed = new Configuration(conf);
    narrowed.set(ReadSupport.PARQUET_READ_SCHEMA, new MessageType(schema.getName(), columns).toString());
    return reader(file, narrowed);
  }
}
