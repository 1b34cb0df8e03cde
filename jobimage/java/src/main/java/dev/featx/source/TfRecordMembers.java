package dev.featx.source;

import com.intel.analytics.shaded.protobuf_v_3_5_1.ByteString;
import com.intel.analytics.shaded.protobuf_v_3_5_1.CodedInputStream;
import com.intel.analytics.shaded.protobuf_v_3_5_1.UnsafeByteOperations;
import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import dev.featx.image.Signature;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import org.tensorflow.example.BytesList;
import org.tensorflow.example.Feature;

/**
 * Images in a bytes feature of tf.train.Example records, named by another feature.
 *
 * <p>A record is its length, 8 bytes, and its content, each followed by a masked CRC-32C. The messages are those that BigDL
 * has compiled.
 */
final class TfRecordMembers implements PackedImages.Members {
  /** Bytes of a record before its content: its length with checksum. */
  static final int HEADER = 12;

  private static final int CHECKSUM = 4;
  private static final long OTHER_FEATURES = 16 << 20; // most bytes of a record beside its image, and of numbers
  private static final int MOST_FEATURES = 10_000; // of a record
  private static final int FIELD_1 = 10; // tags of protobuf, for a field with a length
  private static final int FIELD_2 = 18;
  private static final List<String> CONTENT =
      List.of("image/encoded", "image_raw", "image", "encoded", "jpeg", "jpg", "png", "image_bytes", "bytes");
  private static final List<String> NAMES =
      List.of("image/filename", "image/key", "image/id", "image/source_id", "filename", "file_name", "key", "__key__", "image_id", "id");

  private final PackedFile file;
  private final InputStream bytes;
  private final ColumnNames names;
  private String content;
  private String name;
  private boolean chosen;
  private long place = -1;

  TfRecordMembers(PackedFile file) throws IOException {
    this.file = file;
    this.content = file.settings().column();
    this.name = file.settings().nameColumn();
    this.bytes = PackedContent.bytes(file);
    this.names = new ColumnNames(file.settings().carry());
  }

  /** Returns whether bytes start with the header of a record. */
  static boolean isHeader(byte[] bytes) {
    return masked(bytes, Long.BYTES) == little(bytes).getInt(Long.BYTES);
  }

  @Override
  public PackedImages.Member next() throws IOException {
    byte[] header = bytes.readNBytes(HEADER);
    if (header.length == 0) {
      return null;
    }
    if (header.length < HEADER) {
      throw new EOFException("the file ends in a record's header");
    }
    if (!isHeader(header)) {
      throw new IOException("a record's length does not have its checksum");
    }
    place++;
    long size = little(header).getLong(0);
    if (size < 0) {
      throw new IOException("a record's length is negative");
    }
    if (size > Math.min(file.maxBytes() + OTHER_FEATURES, Integer.MAX_VALUE - CHECKSUM)) {
      bytes.skipNBytes(size);
      bytes.skipNBytes(CHECKSUM);
      return PackedImages.Member.of("", place, null, size);
    }
    byte[] record = bytes.readNBytes((int) size + CHECKSUM);
    if (record.length < size + CHECKSUM) {
      throw new EOFException("the file ends in a record");
    }
    if (masked(record, (int) size) != little(record).getInt((int) size)) {
      return failed("", QuarantineReason.DAMAGED, "the record does not have its checksum; write it again");
    }
    try {
      Map<String, Feature> features = new LinkedHashMap<>();
      for (Map.Entry<String, ByteString> feature : split(record, (int) size).entrySet()) {
        names.add(feature.getKey());
        if (!chosen || isNeeded(feature.getKey())) {
          features.put(feature.getKey(), parse(feature.getKey(), feature.getValue()));
        }
      }
      return member(features);
    } catch (IOException e) {
      if (!chosen) {
        throw PackedContent.unsupported(file, "its first record is not a tf.train.Example");
      }
      return failed("", QuarantineReason.DAMAGED, "the record is not a tf.train.Example; write it again");
    }
  }

  @Override
  public ColumnNames columns() {
    return names;
  }

  private boolean isNeeded(String feature) {
    return feature.equals(content) || feature.equals(name) || file.settings().carry().contains(feature);
  }

  /**
   * Returns the features of a tf.train.Example before they are parsed, which takes up to a hundred times their bytes: an
   * Example has Features, and these have entries of a map.
   */
  private Map<String, ByteString> split(byte[] record, int size) throws IOException {
    Map<String, ByteString> features = new LinkedHashMap<>();
    CodedInputStream message = UnsafeByteOperations.unsafeWrap(record, 0, size).newCodedInput();
    message.enableAliasing(true);
    for (int tag = message.readTag(); tag != 0; tag = message.readTag()) {
      if (tag != FIELD_1) {
        message.skipField(tag);
        continue;
      }
      int end = message.pushLimit(message.readRawVarint32());
      for (int inner = message.readTag(); inner != 0; inner = message.readTag()) {
        if (inner == FIELD_1) {
          int entryEnd = message.pushLimit(message.readRawVarint32());
          addEntry(features, message);
          message.popLimit(entryEnd);
        } else {
          message.skipField(inner);
        }
        if (features.size() > MOST_FEATURES) {
          throw PackedContent.unsupported(file, "a record has more features than the limit, " + MOST_FEATURES);
        }
      }
      message.popLimit(end);
    }
    return features;
  }

  private static void addEntry(Map<String, ByteString> features, CodedInputStream entry) throws IOException {
    String key = "";
    ByteString value = ByteString.EMPTY;
    for (int tag = entry.readTag(); tag != 0; tag = entry.readTag()) {
      switch (tag) {
        case FIELD_1 -> key = entry.readStringRequireUtf8();
        case FIELD_2 -> value = entry.readBytes();
        default -> entry.skipField(tag);
      }
    }
    features.put(key, value);
  }

  private Feature parse(String feature, ByteString value) throws IOException {
    boolean bytesList = value.isEmpty() || value.byteAt(0) == FIELD_1;
    if (!bytesList && value.size() > OTHER_FEATURES) {
      throw PackedContent.unsupported(file, "a record's numbers have more bytes than the limit, " + OTHER_FEATURES);
    }
    return Feature.parseFrom(value);
  }

  private PackedImages.Member member(Map<String, Feature> features) {
    if (!chosen) {
      chooseFeatures(features);
      chosen = true;
    }
    Feature named = name == null ? null : features.get(name);
    String key = named == null ? "" : ImageKeys.of(nameBytes(named));
    Feature feature = features.get(content);
    if (feature == null || feature.getBytesList().getValueCount() == 0) {
      return failed(key, QuarantineReason.EMPTY, "the record has no bytes in feature " + content);
    }
    BytesList images = feature.getBytesList();
    if (images.getValueCount() > 1) {
      return failed(key, QuarantineReason.UNSUPPORTED, "feature " + content + " holds " + images.getValueCount()
          + " values; write one image per record");
    }
    int size = images.getValue(0).size();
    byte[] image = size <= file.maxBytes() ? images.getValue(0).toByteArray() : null;
    return PackedImages.Member.of(key, place, image, size).with(carried(features));
  }

  private void chooseFeatures(Map<String, Feature> features) {
    if (content == null) {
      content = CONTENT.stream().filter(one -> holdsBytes(features.get(one))).findFirst().orElseGet(() -> onlyImage(features));
    } else if (!holdsBytes(features.get(content))) {
      throw unsupported("the first record has no bytes in feature " + content, features);
    }
    if (name == null) {
      name = NAMES.stream().filter(features::containsKey).findFirst().orElse(null);
    } else if (!features.containsKey(name)) {
      throw unsupported("the first record has no feature " + name, features);
    }
  }

  private String onlyImage(Map<String, Feature> features) {
    List<String> images = features.entrySet().stream().filter(entry -> holdsBytes(entry.getValue())
        && Signature.of(entry.getValue().getBytesList().getValue(0).toByteArray()) != null).map(Map.Entry::getKey).toList();
    if (images.size() != 1) {
      throw unsupported("no feature can be chosen as the image; set spec.source.packed.contentColumn", features);
    }
    return images.get(0);
  }

  private RuntimeException unsupported(String message, Map<String, Feature> features) {
    Map<String, String> kinds = new TreeMap<>();
    features.forEach((feature, value) -> kinds.put(feature, switch (value.getKindCase()) {
      case BYTES_LIST -> "bytes";
      case FLOAT_LIST -> "floats";
      case INT64_LIST -> "integers";
      default -> "nothing";
    }));
    return PackedContent.unsupported(file, message + "; its features are " + ParquetImages.listed(kinds));
  }

  private Map<String, String> carried(Map<String, Feature> features) {
    Map<String, String> values = new TreeMap<>();
    for (String column : file.settings().carry()) {
      Feature feature = features.get(column);
      if (feature != null && feature.getKindCase() != Feature.KindCase.KIND_NOT_SET) {
        values.put(column, text(feature));
      }
    }
    return values;
  }

  private static byte[] nameBytes(Feature named) {
    BytesList values = named.getBytesList();
    return values.getValueCount() == 1 ? values.getValue(0).toByteArray() : text(named).getBytes(StandardCharsets.UTF_8);
  }

  /** Returns a feature's value as text; several in brackets. */
  private static String text(Feature feature) {
    List<String> values = new ArrayList<>();
    switch (feature.getKindCase()) {
      case BYTES_LIST -> feature.getBytesList().getValueList().forEach(value -> values.add(value.toString(StandardCharsets.UTF_8)));
      case FLOAT_LIST -> feature.getFloatList().getValueList().forEach(value -> values.add(value.toString()));
      case INT64_LIST -> feature.getInt64List().getValueList().forEach(value -> values.add(value.toString()));
      default -> {
        return "";
      }
    }
    return values.size() == 1 ? values.get(0) : values.isEmpty() ? "" : values.toString();
  }

  private PackedImages.Member failed(String key, QuarantineReason reason, String message) {
    return PackedImages.Member.failed(key, place, new ImageProblem(ImageProblem.Stage.READ, reason, message));
  }

  private static boolean holdsBytes(Feature feature) {
    return feature != null && feature.getBytesList().getValueCount() > 0;
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Returns a checksum as it is stored: checksums of content that contains checksums would be weak. */
  private static int masked(byte[] bytes, int length) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes, 0, length);
    return Integer.rotateRight((int) checksum.getValue(), 15) + 0xa282ead8;
  }

  @Override
  public void close() throws IOException {
    bytes.close();
  }
}
