package dev.featx.table;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.InitContext;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.io.ParquetDecodingException;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.Converter;
import org.apache.parquet.io.api.GroupConverter;
import org.apache.parquet.io.api.PrimitiveConverter;
import org.apache.parquet.io.api.RecordConsumer;
import org.apache.parquet.io.api.RecordMaterializer;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;

/**
 * Passes rows from readers of Parquet files to a writer without an object in between: each value that is read is written at once,
 * and what the writer is then given as a row is nothing but its end.
 */
final class PassedRows {
  private static final String KEY = "key";

  private final MessageType schema;
  private RecordConsumer consumer;
  private KeyRange keys = KeyRange.NONE;
  private long rows;

  PassedRows(MessageType schema) {
    this.schema = schema;
  }

  /** Returns the number of rows that were passed. */
  long rows() {
    return rows;
  }

  /** Returns the range of their keys. */
  KeyRange keys() {
    return keys;
  }

  /** Opens the writer. */
  ParquetWriter<Void> writer(DigestedFile file, Configuration conf) throws IOException {
    return Rows.writer(new Builder(file), conf);
  }

  /** Returns what a reader turns rows into: true for each. */
  ReadSupport<Boolean> readSupport() {
    return new ReadSupport<>() {
      @Override
      public ReadContext init(InitContext context) {
        if (!context.getFileSchema().equals(schema)) {
          throw new ParquetDecodingException("files of shards have different columns: " + context.getFileSchema() + " and " + schema);
        }
        return new ReadContext(schema);
      }

      @Override
      public RecordMaterializer<Boolean> prepareForRead(Configuration conf, Map<String, String> metadata, MessageType file,
          ReadContext context) {
        return new RecordMaterializer<>() {
          private final Row row = new Row();

          @Override
          public Boolean getCurrentRecord() {
            return true;
          }

          @Override
          public GroupConverter getRootConverter() {
            return row;
          }
        };
      }
    };
  }

  private final class Builder extends ParquetWriter.Builder<Void, Builder> {
    Builder(DigestedFile file) {
      super(file);
    }

    @Override
    protected Builder self() {
      return this;
    }

    @Override
    protected WriteSupport<Void> getWriteSupport(Configuration conf) {
      return new WriteSupport<>() {
        @Override
        public WriteContext init(Configuration configuration) {
          return new WriteContext(schema, new HashMap<>());
        }

        @Override
        public void prepareForWrite(RecordConsumer recordConsumer) {
          consumer = recordConsumer; // another one for each row group
        }

        @Override
        public void write(Void row) {
          rows++;
        }
      };
    }
  }

  /** Passes the fields of a group. A repeated field stays open until another one begins. */
  private abstract class Fields extends GroupConverter {
    private final GroupType type;
    private final List<Converter> converters = new ArrayList<>();
    private int open = -1;

    Fields(GroupType type) {
      this.type = type;
      for (int i = 0; i < type.getFieldCount(); i++) {
        Type field = type.getType(i);
        converters.add(field.isPrimitive() ? new Value(this, i, KEY.equals(field.getName()) && type == schema)
            : new Group(this, i, field.asGroupType()));
      }
    }

    @Override
    public Converter getConverter(int index) {
      return converters.get(index);
    }

    void enter(int index) {
      if (open != index) {
        leave();
        consumer.startField(type.getFieldName(index), index);
        open = index;
      }
    }

    void leave() {
      if (open >= 0) {
        consumer.endField(type.getFieldName(open), open);
        open = -1;
      }
    }
  }

  private final class Row extends Fields {
    Row() {
      super(schema);
    }

    @Override
    public void start() {
      consumer.startMessage();
    }

    @Override
    public void end() {
      leave();
      consumer.endMessage();
    }
  }

  private final class Group extends Fields {
    private final Fields parent;
    private final int index;

    Group(Fields parent, int index, GroupType type) {
      super(type);
      this.parent = parent;
      this.index = index;
    }

    @Override
    public void start() {
      parent.enter(index);
      consumer.startGroup();
    }

    @Override
    public void end() {
      leave();
      consumer.endGroup();
    }
  }

  private final class Value extends PrimitiveConverter {
    private final Fields parent;
    private final int index;
    private final boolean key;

    Value(Fields parent, int index, boolean key) {
      this.parent = parent;
      this.index = index;
      this.key = key;
    }

    @Override
    public void addBinary(Binary value) {
      if (key) {
        keys = keys.with(value.toStringUsingUTF8());
      }
      parent.enter(index);
      consumer.addBinary(value);
    }

    @Override
    public void addBoolean(boolean value) {
      parent.enter(index);
      consumer.addBoolean(value);
    }

    @Override
    public void addDouble(double value) {
      parent.enter(index);
      consumer.addDouble(value);
    }

    @Override
    public void addFloat(float value) {
      parent.enter(index);
      consumer.addFloat(value);
    }

    @Override
    public void addInt(int value) {
      parent.enter(index);
      consumer.addInteger(value);
    }

    @Override
    public void addLong(long value) {
      parent.enter(index);
      consumer.addLong(value);
    }
  }
}
