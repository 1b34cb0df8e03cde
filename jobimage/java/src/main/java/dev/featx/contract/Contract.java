package dev.featx.contract;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.InjectableValues;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;

/**
 * Reads and writes the documents that driver and executors exchange (crds/featx_api/executor_contract.py).
 *
 * <p>Each is a record of the same name with the same fields. Reading is strict: a field that is unknown, missing or of another
 * type is an error, so the two sides cannot diverge silently.
 */
public final class Contract {
  private static final ObjectMapper JSON = JsonMapper.builder()
      .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES,
          DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES, DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
      .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT).disable(MapperFeature.ALLOW_COERCION_OF_SCALARS).build();

  private Contract() {}

  /**
   * Parses a document.
   *
   * @param json the document
   * @param type its record
   * @throws IllegalArgumentException if it differs from the record
   */
  public static <T> T read(String json, Class<T> type) {
    return read(JSON.readerFor(type), json, type);
  }

  /**
   * Parses a document whose record needs an object that is not in the document.
   *
   * @param json the document
   * @param type its record
   * @param kind type of the object
   * @param object injected into creators' parameters of this type marked for injection
   * @throws IllegalArgumentException if it differs from the record
   */
  public static <T, I> T read(String json, Class<T> type, Class<I> kind, I object) {
    return read(JSON.readerFor(type).with(new InjectableValues.Std().addValue(kind, object)), json, type);
  }

  /**
   * Parses a document that omits fields without a value; its record checks the required ones.
   *
   * @param json the document
   * @param type its record
   * @throws IllegalArgumentException if it differs from the record
   */
  public static <T> T readSparse(String json, Class<T> type) {
    return read(JSON.readerFor(type).without(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES), json, type);
  }

  private static <T> T read(ObjectReader reader, String json, Class<T> type) {
    try {
      return reader.readValue(json);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("driver and executor disagree on " + type.getSimpleName() + ": " + e.getOriginalMessage(), e);
    }
  }

  /** Returns a document as one line of JSON. */
  public static String write(Object document) {
    try {
      return JSON.writeValueAsString(document);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
