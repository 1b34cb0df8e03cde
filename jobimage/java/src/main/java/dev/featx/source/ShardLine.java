package dev.featx.source;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.Serializable;
import java.util.List;

/** A shard as the driver writes it: a line of JSON, whose kind determines where its images are. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
@JsonSubTypes({@JsonSubTypes.Type(name = "objects", value = ShardLine.ObjectsLine.class),
    @JsonSubTypes.Type(name = "listed", value = ShardLine.ListedLine.class),
    @JsonSubTypes.Type(name = "packed", value = ShardLine.PackedLine.class),
    @JsonSubTypes.Type(name = "ranges", value = ShardLine.RangesLine.class)})
sealed interface ShardLine {
  /** Returns the shard's index in the run's list. */
  int index();

  /** Returns its images. */
  Images.Part part();

  /**
   * An object as the driver listed it.
   *
   * @param key of the image in the table
   * @param size in bytes
   */
  @JsonFormat(shape = JsonFormat.Shape.ARRAY)
  record ListedObject(String key, long size) implements Serializable {
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    static ListedObject of(JsonNode pair) {
      if (pair.size() != 2 || !pair.get(0).isTextual() || !pair.get(1).isIntegralNumber()) {
        throw new IllegalArgumentException("expected a key and a size, got " + pair);
      }
      return new ListedObject(pair.get(0).asText(), pair.get(1).asLong());
    }
  }

  /**
   * Rows of an HBase table, in hexadecimal.
   *
   * @param start the first row; empty for the table's first
   * @param stop the row after the last; empty for the table's end
   */
  @JsonFormat(shape = JsonFormat.Shape.ARRAY)
  record RowRange(String start, String stop) {
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    static RowRange of(JsonNode pair) {
      if (pair.size() != 2 || !pair.get(0).isTextual() || !pair.get(1).isTextual()) {
        throw new IllegalArgumentException("expected two rows, got " + pair);
      }
      return new RowRange(pair.get(0).asText(), pair.get(1).asText());
    }
  }

  /**
   * A shard of stored objects, one image per object.
   *
   * @param index in the run's list
   * @param base prefix that turns a key into a Hadoop URI
   * @param objects in the order of the rows
   */
  record ObjectsLine(int index, String base, List<ListedObject> objects) implements ShardLine {
    @Override
    public Images.Part part() {
      return StoredObjects.of(base, objects);
    }
  }

  /**
   * Rows of the source's list.
   *
   * @param piece address of a Parquet file
   * @param first the first row
   * @param rows their number
   */
  @JsonFormat(shape = JsonFormat.Shape.ARRAY)
  record Span(String piece, long first, long rows) implements Serializable {
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    static Span of(JsonNode span) {
      if (span.size() != 3 || !span.get(0).isTextual() || !span.get(1).isIntegralNumber() || !span.get(2).isIntegralNumber()) {
        throw new IllegalArgumentException("expected a piece, a row and a number of rows, got " + span);
      }
      return new Span(span.get(0).asText(), span.get(1).asLong(), span.get(2).asLong());
    }
  }

  /**
   * A shard of stored objects, one image per object, whose keys are rows of the source's list.
   *
   * @param index in the run's list
   * @param base prefix that turns a key into a Hadoop URI
   * @param spans in the order of the rows
   */
  record ListedLine(int index, String base, List<Span> spans) implements ShardLine {
    @Override
    public Images.Part part() {
      return new ListedObjects(base, spans);
    }
  }

  /**
   * A shard of files that contain many images each.
   *
   * @param index in the run's list
   * @param base prefix that turns a key into a Hadoop URI
   * @param objects the files, in the order of the rows
   * @param packed how to read them
   * @param section which rows of them
   * @param keys of the images to read, or of whole files; empty for all
   */
  record PackedLine(int index, String base, List<ListedObject> objects, PackedSettings packed,
      @JsonProperty("part") PackedSection section, List<String> keys) implements ShardLine {
    @Override
    public Images.Part part() {
      return new PackedImages(StoredObjects.of(base, objects).objects(), packed, section, List.copyOf(keys));
    }
  }

  /**
   * A shard of rows of an HBase table.
   *
   * @param index in the run's list
   * @param ranges in the order of the rows
   * @param since older cells are skipped, in milliseconds
   * @param limit maximum rows per range; 0 for all
   */
  record RangesLine(int index, List<RowRange> ranges, long since, int limit) implements ShardLine {
    @Override
    public Images.Part part() {
      return HBaseRows.of(ranges, since, limit);
    }
  }
}
