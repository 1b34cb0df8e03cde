package dev.featx.source;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * How to read files that contain many images.
 *
 * @param format of the files
 * @param members glob of a tar's members that are images
 * @param nameColumn column with the images' names (Parquet and Delta)
 * @param contentColumn column with the encoded images (Parquet and Delta)
 */
record PackedSettings(Format format, String members, String nameColumn, String contentColumn) {
  /** File formats. */
  enum Format {
    @JsonProperty("tar")
    TAR,
    @JsonProperty("sequenceFile")
    SEQUENCE_FILE,
    @JsonProperty("parquet")
    PARQUET,
    @JsonProperty("delta")
    DELTA
  }
}
