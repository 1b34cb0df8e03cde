package dev.featx.table;

import dev.featx.image.ImageProblem;
import dev.featx.image.Subject;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetFileWriter;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.RecordConsumer;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;
import org.apache.parquet.schema.Types;

/** The rows of both tables, and how they are written as Parquet files. */
public final class Rows {
  /**
   * A row of the table.
   *
   * @param key of the image
   * @param subject the cropped part of the image
   * @param feature of the crop
   * @param bits the binarized feature, packed, or null
   * @param width of the upright image in pixels
   * @param height of the upright image in pixels
   * @param damaged whether only a part of the image could be decoded; null in tables without damaged images
   * @param carried values of the source's columns
   */
  public record Feature(String key, Subject subject, float[] feature, byte[] bits, int width, int height, Boolean damaged,
      Map<String, String> carried) {}

  /**
   * A row of the quarantine.
   *
   * @param key of the image
   * @param problem why the image is there
   */
  public record Failure(String key, ImageProblem problem) {}

  static final MessageType FEATURES = MessageTypeParser.parseMessageType("""
      message featx_features {
        required binary key (STRING);
        required float x0; required float y0; required float x1; required float y1;
        optional float score;
        optional int32 class;
        required group feature (LIST) { repeated group list { required float element; } }
        optional binary bits;
        required int32 width; required int32 height;
      }""");
  static final MessageType FEATURES_WITH_DAMAGED = FEATURES.union(MessageTypeParser.parseMessageType(
      "message featx_features { optional boolean damaged; }"));
  static final MessageType FAILURES = MessageTypeParser.parseMessageType("""
      message featx_quarantine {
        required binary key (STRING);
        required binary stage (STRING);
        required binary reason (STRING);
        required binary message (STRING);
      }""");

  private Rows() {}

  /**
   * Writes a file of features, possibly empty.
   *
   * @param file the file
   * @param conf for Hadoop's file systems
   * @param rows the rows
   * @param damaged whether the table has the column `damaged`
   * @param carry columns of the source that are columns of the table
   * @return the file's SHA-256
   */
  public static String writeFeatures(Path file, Configuration conf, List<Feature> rows, boolean damaged, List<String> carry)
      throws IOException {
    return write(file, conf, rows, withColumns(damaged ? FEATURES_WITH_DAMAGED : FEATURES, carry), (fields, row) -> {
      Subject subject = row.subject();
      fields.text("key", row.key());
      fields.number("x0", subject.x0());
      fields.number("y0", subject.y0());
      fields.number("x1", subject.x1());
      fields.number("y1", subject.y1());
      if (subject.score() != null) {
        fields.number("score", subject.score());
      }
      if (subject.category() != null) {
        fields.whole("class", subject.category());
      }
      fields.numbers("feature", row.feature());
      if (row.bits() != null) {
        fields.binary("bits", Binary.fromReusedByteArray(row.bits()));
      }
      fields.whole("width", row.width());
      fields.whole("height", row.height());
      if (damaged) {
        fields.truth("damaged", row.damaged());
      }
      for (String column : carry) {
        if (row.carried().containsKey(column)) {
          fields.text(column, row.carried().get(column));
        }
      }
    });
  }

  private static MessageType withColumns(MessageType table, List<String> carry) {
    List<Type> columns = new ArrayList<>(table.getFields());
    for (String column : carry) {
      columns.add(Types.optional(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named(column));
    }
    return new MessageType(table.getName(), columns);
  }

  /** Writes a file of the quarantine and returns its SHA-256. */
  static String writeFailures(Path file, Configuration conf, List<Failure> rows) throws IOException {
    return write(file, conf, rows, FAILURES, (fields, row) -> {
      fields.text("key", row.key());
      fields.text("stage", row.problem().stage().name().toLowerCase(Locale.ROOT));
      fields.text("reason", row.problem().reason().label());
      fields.text("message", row.problem().getMessage());
    });
  }

  /** Writes a row, field by field in the order of the schema. */
  private interface RowWriter<T> {
    void write(Fields fields, T row);
  }

  private static <T> String write(Path path, Configuration conf, List<T> rows, MessageType schema, RowWriter<T> rowWriter)
      throws IOException {
    DigestedFile file = new DigestedFile(path, conf);
    try (ParquetWriter<T> writer = writer(new Builder<T>(file, schema, rowWriter), conf)) {
      for (T row : rows) {
        writer.write(row);
      }
    }
    return file.sha256();
  }

  /** Opens a writer with the settings common to all files of a table. */
  static <T, B extends ParquetWriter.Builder<T, B>> ParquetWriter<T> writer(B builder, Configuration conf) throws IOException {
    return builder.withConf(conf).withWriteMode(ParquetFileWriter.Mode.OVERWRITE)
        .withCompressionCodec(CompressionCodecName.ZSTD).withDictionaryEncoding(false).build();
  }

  private static final class Builder<T> extends ParquetWriter.Builder<T, Builder<T>> {
    private final MessageType schema;
    private final RowWriter<T> rows;

    Builder(DigestedFile file, MessageType schema, RowWriter<T> rows) {
      super(file);
      this.schema = schema;
      this.rows = rows;
    }

    @Override
    protected Builder<T> self() {
      return this;
    }

    @Override
    protected WriteSupport<T> getWriteSupport(Configuration conf) {
      return new WriteSupport<>() {
        private RecordConsumer consumer;
        private Fields fields;

        @Override
        public WriteContext init(Configuration configuration) {
          return new WriteContext(schema, new HashMap<>());
        }

        @Override
        public void prepareForWrite(RecordConsumer recordConsumer) {
          consumer = recordConsumer;
          fields = new Fields(schema, consumer);
        }

        @Override
        public void write(T row) {
          consumer.startMessage();
          rows.write(fields, row);
          consumer.endMessage();
        }
      };
    }
  }

  /** Writes the fields of a row by name; Parquet's consumer also requires their positions in the schema. */
  private record Fields(MessageType schema, RecordConsumer consumer) {
    void text(String name, String value) {
      binary(name, Binary.fromString(value));
    }

    void binary(String name, Binary value) {
      field(name, () -> consumer.addBinary(value));
    }

    void number(String name, float value) {
      field(name, () -> consumer.addFloat(value));
    }

    void whole(String name, int value) {
      field(name, () -> consumer.addInteger(value));
    }

    void truth(String name, boolean value) {
      field(name, () -> consumer.addBoolean(value));
    }

    /** Writes a list in Parquet's three levels. */
    void numbers(String name, float[] values) {
      field(name, () -> {
        consumer.startGroup();
        if (values.length > 0) {
          consumer.startField("list", 0);
          for (float value : values) {
            consumer.startGroup();
            consumer.startField("element", 0);
            consumer.addFloat(value);
            consumer.endField("element", 0);
            consumer.endGroup();
          }
          consumer.endField("list", 0);
        }
        consumer.endGroup();
      });
    }

    private void field(String name, Runnable value) {
      int index = schema.getFieldIndex(name);
      consumer.startField(name, index);
      value.run();
      consumer.endField(name, index);
    }
  }
}
