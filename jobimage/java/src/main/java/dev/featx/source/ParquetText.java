package dev.featx.source;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.PrimitiveType;
import org.apache.parquet.schema.Type;

/** Values of Parquet as text: dates and decimals as people write them, lists and structs as JSON. */
final class ParquetText {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  private ParquetText() {}

  /** Returns the value of a field that is not null. */
  static String of(Group row, String field) {
    Type type = row.getType().getType(field);
    int index = row.getType().getFieldIndex(field);
    return type.isPrimitive() && !type.isRepetition(Type.Repetition.REPEATED) ? text(row, index, 0) : json(row, index).toString();
  }

  private static String text(Group row, int field, int index) {
    PrimitiveType type = row.getType().getType(field).asPrimitiveType();
    return switch (type.getPrimitiveTypeName()) {
      case INT32 -> type.stringifier().stringify(row.getInteger(field, index));
      case INT64 -> type.stringifier().stringify(row.getLong(field, index));
      case FLOAT, DOUBLE, BOOLEAN -> row.getValueToString(field, index);
      case BINARY -> type.getLogicalTypeAnnotation() == null ? row.getBinary(field, index).toStringUsingUTF8()
          : type.stringifier().stringify(row.getBinary(field, index));
      case FIXED_LEN_BYTE_ARRAY -> type.stringifier().stringify(row.getBinary(field, index));
      case INT96 -> row.getValueToString(field, index);
    };
  }

  private static JsonNode json(Group row, int field) {
    Type type = row.getType().getType(field);
    int count = row.getFieldRepetitionCount(field);
    if (!type.isRepetition(Type.Repetition.REPEATED)) {
      return count == 0 ? JSON.nullNode() : json(row, field, 0);
    }
    ArrayNode values = JSON.arrayNode();
    for (int i = 0; i < count; i++) {
      values.add(json(row, field, i));
    }
    return values;
  }

  private static JsonNode json(Group row, int field, int index) {
    Type type = row.getType().getType(field);
    if (type.isPrimitive()) {
      boolean plain = type.getLogicalTypeAnnotation() == null
          || type.getLogicalTypeAnnotation() instanceof LogicalTypeAnnotation.IntLogicalTypeAnnotation;
      return switch (type.asPrimitiveType().getPrimitiveTypeName()) {
        case INT32 -> plain ? JSON.numberNode(row.getInteger(field, index)) : JSON.textNode(text(row, field, index));
        case INT64 -> plain ? JSON.numberNode(row.getLong(field, index)) : JSON.textNode(text(row, field, index));
        case FLOAT -> JSON.numberNode(row.getFloat(field, index));
        case DOUBLE -> JSON.numberNode(row.getDouble(field, index));
        case BOOLEAN -> JSON.booleanNode(row.getBoolean(field, index));
        default -> JSON.textNode(text(row, field, index));
      };
    }
    Group group = row.getGroup(field, index);
    return LogicalTypeAnnotation.listType().equals(type.getLogicalTypeAnnotation()) && type.asGroupType().getFieldCount() == 1
        ? list(group) : struct(group);
  }

  /** Returns the elements of a list, which writers wrap into a repeated group of one field. */
  private static JsonNode list(Group list) {
    Type repeated = list.getType().getType(0);
    if (repeated.isPrimitive() || repeated.asGroupType().getFieldCount() != 1) {
      return json(list, 0);
    }
    ArrayNode elements = JSON.arrayNode();
    for (int i = 0; i < list.getFieldRepetitionCount(0); i++) {
      elements.add(json(list.getGroup(0, i), 0));
    }
    return elements;
  }

  private static JsonNode struct(Group struct) {
    ObjectNode fields = JSON.objectNode();
    GroupType type = struct.getType();
    for (int i = 0; i < type.getFieldCount(); i++) {
      fields.set(type.getFieldName(i), json(struct, i));
    }
    return fields;
  }
}
