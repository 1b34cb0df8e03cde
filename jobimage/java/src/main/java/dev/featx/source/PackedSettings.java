package dev.featx.source;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * How files that hold many images are read.
 *
 * @param format of the files
 * @param members glob of the members of a tar that are images
 * @param nameColumn of Parquet and Delta: the images' names
 * @param contentColumn of Parquet and Delta: the encoded images
 */
record PackedSettings(Format format, String members, String nameColumn, String contentColumn) {
  /** Formats of files. */
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
