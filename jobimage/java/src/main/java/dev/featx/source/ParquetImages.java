package dev.featx.source;

import dev.featx.image.ImageFormat;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;

/**
 * The columns of a Parquet file that hold images, their names, and what is carried into the table.
 *
 * @param schema of these columns only
 * @param content column of the images
 * @param field of the content column that holds the bytes, if it is a struct; otherwise null
 * @param path field of the content column that holds a name, or null
 * @param name column of the names, or null
 */
record ParquetImages(MessageType schema, String content, String field, String path, String name) {
  private static final List<String> NAMES = List.of("key", "__key__", "image_id", "id", "file_name", "filename", "name", "path");
  private static final Set<PrimitiveTypeName> NAMING = Set.of(PrimitiveTypeName.BINARY, PrimitiveTypeName.INT32, PrimitiveTypeName.INT64);
  private static final int MOST_LISTED = 20;
  private static final int LONGEST_NAME = 64;

  /**
   * Chooses the columns.
   *
   * @throws dev.featx.failure.RunProblem SourceNotSupported, if a column is missing or none can be chosen
   */
  static ParquetImages of(MessageType schema, PackedFile file) {
    PackedSettings settings = file.settings();
    String content = settings.column() == null ? choose(schema, file) : existing(schema, settings.column(), file);
    Type type = schema.getType(content);
    String field = null;
    String path = null;
    if (settings.urlColumn() != null && !(isText(type) || isBinary(type))) {
      throw unsupported(file, schema, "spec.source.packed.urlColumn: column " + content + " holds no text");
    }
    if (!type.isPrimitive() && !isList(type)) {
      field = bytesOf(type);
      if (field == null) {
        throw unsupported(file, schema, "column " + content + " has no field with an encoded image");
      }
      path = type.asGroupType().containsField("path") && isText(type.asGroupType().getType("path")) ? "path" : null;
    }
    String name = settings.nameColumn() != null ? existing(schema, settings.nameColumn(), file) : nameOf(schema, content);
    Set<String> needed = new LinkedHashSet<>(List.of(content));
    if (name != null) {
      needed.add(name);
    }
    settings.carry().stream().filter(schema::containsField).forEach(needed::add);
    return new ParquetImages(new MessageType(schema.getName(), needed.stream().map(schema::getType).toList()), content, field, path,
        settings.nameColumn() == null && path != null ? null : name);
  }

  private static String existing(MessageType schema, String column, PackedFile file) {
    if (!schema.containsField(column)) {
      throw unsupported(file, schema, "it has no column " + column);
    }
    return column;
  }

  /** Returns the only column that may hold images, or the only one of the first usual name, in whatever case. */
  private static String choose(MessageType schema, PackedFile file) {
    List<String> columns = schema.getFields().stream().filter(ParquetImages::mayHoldImages).map(Type::getName).toList();
    if (columns.isEmpty()) { // images of one length; beside others, such a column is a digest
      columns = schema.getFields().stream().filter(ParquetImages::isFixed).map(Type::getName).toList();
    }
    if (columns.isEmpty()) { // a reader of the first row says what such a column holds instead
      columns = schema.getFields().stream().filter(type -> isList(type) || isText(type)).map(Type::getName).toList();
      columns = columns.stream().filter(name -> usualNames().contains(name.toLowerCase(Locale.ROOT))).toList();
    }
    if (columns.size() == 1) {
      return columns.get(0);
    }
    List<String> all = columns;
    List<String> usual = usualNames().stream().map(name -> all.stream().filter(name::equalsIgnoreCase).toList())
        .filter(same -> !same.isEmpty()).findFirst().orElse(List.of());
    if (usual.size() != 1) {
      throw unsupported(file, schema, (columns.isEmpty() ? "no column holds images" : "several columns may hold images")
          + "; set spec.source.packed.contentColumn");
    }
    return usual.get(0);
  }

  private static Set<String> usualNames() {
    Set<String> names = new LinkedHashSet<>(List.of("image", "img", "picture", "photo"));
    for (ImageFormat format : ImageFormat.values()) {
      format.endings().stream().sorted().forEach(names::add);
    }
    names.addAll(List.of("image_bytes", "content", "bytes", "data", "url", "image_url"));
    return names;
  }

  private static String nameOf(MessageType schema, String content) {
    return NAMES.stream().filter(name -> !name.equals(content) && schema.containsField(name) && isName(schema.getType(name)))
        .findFirst().orElse(null);
  }

  private static boolean isName(Type type) {
    return type.isPrimitive() && !type.isRepetition(Type.Repetition.REPEATED)
        && NAMING.contains(type.asPrimitiveType().getPrimitiveTypeName());
  }

  private static boolean mayHoldImages(Type type) {
    return isBinary(type) || !type.isPrimitive() && !isList(type) && bytesOf(type) != null;
  }

  /** Returns the only binary field of a struct; Spark's struct of raw pixels has none that can be decoded. */
  private static String bytesOf(Type struct) {
    if (struct.getLogicalTypeAnnotation() != null || struct.asGroupType().containsField("nChannels")) {
      return null;
    }
    List<Type> all = struct.asGroupType().getFields();
    List<String> fields = all.stream().filter(ParquetImages::isBinary).map(Type::getName).toList();
    if (fields.isEmpty()) {
      fields = all.stream().filter(ParquetImages::isFixed).map(Type::getName).toList();
    }
    return fields.contains("bytes") ? "bytes" : fields.size() == 1 ? fields.get(0) : null;
  }

  private static boolean isBinary(Type type) {
    return isOf(type, PrimitiveTypeName.BINARY);
  }

  private static boolean isFixed(Type type) {
    return isOf(type, PrimitiveTypeName.FIXED_LEN_BYTE_ARRAY);
  }

  private static boolean isOf(Type type, PrimitiveTypeName primitive) {
    return type.isPrimitive() && !type.isRepetition(Type.Repetition.REPEATED) && type.getLogicalTypeAnnotation() == null
        && type.asPrimitiveType().getPrimitiveTypeName() == primitive;
  }

  private static boolean isText(Type type) {
    return type.isPrimitive() && LogicalTypeAnnotation.stringType().equals(type.getLogicalTypeAnnotation());
  }

  private static boolean isList(Type type) {
    return type.isRepetition(Type.Repetition.REPEATED) || LogicalTypeAnnotation.listType().equals(type.getLogicalTypeAnnotation());
  }

  private static RuntimeException unsupported(PackedFile file, MessageType schema, String message) {
    return PackedContent.unsupported(file, message + "; its columns are " + listed(schema));
  }

  /** Returns columns and their types as a list in a sentence. */
  static String listed(MessageType schema) {
    Map<String, String> columns = new LinkedHashMap<>();
    schema.getFields().forEach(type -> columns.put(type.getName(), kind(type)));
    return listed(columns);
  }

  /** Returns names and their kinds as a list in a sentence. */
  static String listed(Map<String, String> kinds) {
    List<String> listed = new ArrayList<>();
    kinds.forEach((name, kind) -> listed.add(shortened(name) + " (" + kind + ")"));
    String more = listed.size() > MOST_LISTED ? " and " + (listed.size() - MOST_LISTED) + " more" : "";
    return String.join(", ", listed.subList(0, Math.min(MOST_LISTED, listed.size()))) + more;
  }

  private static String shortened(String name) {
    return name.length() <= LONGEST_NAME ? name : name.substring(0, LONGEST_NAME) + "…";
  }

  /** Returns a column's type as people write it. */
  static String kind(Type type) {
    if (isList(type)) {
      return "list";
    }
    if (!type.isPrimitive()) {
      return type.asGroupType().getFields().stream().limit(MOST_LISTED).map(field -> shortened(field.getName()))
          .collect(Collectors.joining(", ", "struct{", "}"));
    }
    return isText(type) ? "string" : type.asPrimitiveType().getPrimitiveTypeName().name().toLowerCase(Locale.ROOT);
  }
}
