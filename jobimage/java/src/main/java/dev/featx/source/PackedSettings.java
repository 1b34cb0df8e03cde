package dev.featx.source;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * How to read files that contain many images.
 *
 * @param format of the files
 * @param members glob of the images in a tar or zip, by name; null for all whose content or ending is an image's
 * @param nameColumn column with the images' names (Parquet, Delta and TFRecord); null to choose one
 * @param contentColumn column with the encoded images (Parquet, Delta and TFRecord); null to choose one
 * @param urlColumn column with the images' URLs, in place of contentColumn; or null
 * @param carry columns whose values become columns of the table
 */
record PackedSettings(Format format, String members, String nameColumn, String contentColumn, String urlColumn,
    List<String> carry) {
  /** Returns the column that is read: of images, or of their URLs; null to choose one. */
  String column() {
    return urlColumn == null ? contentColumn : urlColumn;
  }

  /** File formats. */
  enum Format {
    @JsonProperty("auto")
    AUTO("auto"),
    @JsonProperty("tar")
    TAR("tar"),
    @JsonProperty("zip")
    ZIP("zip"),
    @JsonProperty("tfrecord")
    TFRECORD("tfrecord"),
    @JsonProperty("sequenceFile")
    SEQUENCE_FILE("sequenceFile"),
    @JsonProperty("parquet")
    PARQUET("parquet"),
    @JsonProperty("delta")
    DELTA("delta");

    private final String label;

    Format(String label) {
      this.label = label;
    }

    /** Returns the name that the resource has for it. */
    String label() {
      return label;
    }
  }
}
