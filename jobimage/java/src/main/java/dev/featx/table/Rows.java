package dev.featx.table;

import dev.featx.image.ImageProblem;
import dev.featx.image.Subject;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetFileWriter;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.RecordConsumer;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;

/** The two tables' rows, and how Parquet files are made of them. */
public final class Rows {
  /**
   * A row of the table.
   *
   * @param key of the image
   * @param subject what was cropped
   * @param feature of the crop
   * @param bits the same, packed, or null
   * @param width of the upright image in pixels
   * @param height likewise
   */
  public record Feature(String key, Subject subject, float[] feature, byte[] bits, int width, int height) {}

  /**
   * A row of the quarantine.
   *
   * @param key of the image
   * @param problem why it is there
   */
  public record Failure(String key, ImageProblem problem) {}

  private static final MessageType FEATURES = MessageTypeParser.parseMessageType("""
      message featx_features {
        required binary key (STRING);
        required float x0; required float y0; required float x1; required float y1;
        optional float score;
        optional int32 class;
        required group feature (LIST) { repeated group list { required float element; } }
        optional binary bits;
        required int32 width; required int32 height;
      }""");
  private static final MessageType FAILURES = MessageTypeParser.parseMessageType("""
      message featx_quarantine {
        required binary key (STRING);
        required binary stage (STRING);
        required binary reason (STRING);
        required binary message (STRING);
      }""");

  private Rows() {}

  /** Writes a file of features, of which there may be none, and returns its sha256. */
  public static String writeFeatures(Path file, Configuration conf, List<Feature> rows) throws IOException {
    return write(file, conf, rows, FEATURES, (consumer, row) -> {
      Subject subject = row.subject();
      text(consumer, 0, "key", row.key());
      number(consumer, 1, "x0", subject.x0());
      number(consumer, 2, "y0", subject.y0());
      number(consumer, 3, "x1", subject.x1());
      number(consumer, 4, "y1", subject.y1());
      if (subject.score() != null) {
        number(consumer, 5, "score", subject.score());
      }
      if (subject.category() != null) {
        whole(consumer, 6, "class", subject.category());
      }
      numbers(consumer, 7, "feature", row.feature());
      if (row.bits() != null) {
        consumer.startField("bits", 8);
        consumer.addBinary(Binary.fromReusedByteArray(row.bits()));
        consumer.endField("bits", 8);
      }
      whole(consumer, 9, "width", row.width());
      whole(consumer, 10, "height", row.height());
    });
  }

  /** Writes a file of the quarantine, and returns its sha256. */
  static String writeFailures(Path file, Configuration conf, List<Failure> rows) throws IOException {
    return write(file, conf, rows, FAILURES, (consumer, row) -> {
      text(consumer, 0, "key", row.key());
      text(consumer, 1, "stage", row.problem().stage().name().toLowerCase(Locale.ROOT));
      text(consumer, 2, "reason", row.problem().reason());
      text(consumer, 3, "message", row.problem().getMessage());
    });
  }

  private interface Fields<T> {
    void write(RecordConsumer consumer, T row);
  }

  private static <T> String write(Path path, Configuration conf, List<T> rows, MessageType schema, Fields<T> fields)
      throws IOException {
    DigestedFile file = new DigestedFile(path, conf);
    try (ParquetWriter<T> writer = writer(new Builder<T>(file, schema, fields), conf)) {
      for (T row : rows) {
        writer.write(row);
      }
    }
    return file.sha256();
  }

  /** Opens a file of a table, as all its files are written. */
  static <T, B extends ParquetWriter.Builder<T, B>> ParquetWriter<T> writer(B builder, Configuration conf) throws IOException {
    return builder.withConf(conf).withWriteMode(ParquetFileWriter.Mode.OVERWRITE)
        .withCompressionCodec(CompressionCodecName.ZSTD).withDictionaryEncoding(false).build();
  }

  private static final class Builder<T> extends ParquetWriter.Builder<T, Builder<T>> {
    private final MessageType schema;
    private final Fields<T> fields;

    Builder(DigestedFile file, MessageType schema, Fields<T> fields) {
      super(file);
      this.schema = schema;
      this.fields = fields;
    }

    @Override
    protected Builder<T> self() {
      return this;
    }

    @Override
    protected WriteSupport<T> getWriteSupport(Configuration conf) {
      return new WriteSupport<>() {
        private RecordConsumer consumer;

        @Override
        public WriteContext init(Configuration configuration) {
          return new WriteContext(schema, new HashMap<>());
        }

        @Override
        public void prepareForWrite(RecordConsumer recordConsumer) {
          consumer = recordConsumer;
        }

        @Override
        public void write(T row) {
          consumer.startMessage();
          fields.write(consumer, row);
          consumer.endMessage();
        }
      };
    }
  }

  private static void text(RecordConsumer consumer, int index, String name, String value) {
    consumer.startField(name, index);
    consumer.addBinary(Binary.fromString(value));
    consumer.endField(name, index);
  }

  private static void number(RecordConsumer consumer, int index, String name, float value) {
    consumer.startField(name, index);
    consumer.addFloat(value);
    consumer.endField(name, index);
  }

  private static void whole(RecordConsumer consumer, int index, String name, int value) {
    consumer.startField(name, index);
    consumer.addInteger(value);
    consumer.endField(name, index);
  }

  private static void numbers(RecordConsumer consumer, int index, String name, float[] values) {
    consumer.startField(name, index);
    consumer.startGroup();
    if (values.length > 0) {
      consumer.startField("list", 0);
      for (float value : values) {
        consumer.startGroup();
        number(consumer, 0, "element", value);
        consumer.endGroup();
      }
      consumer.endField("list", 0);
    }
    consumer.endGroup();
    consumer.endField(name, index);
  }
}
