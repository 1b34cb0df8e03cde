package dev.featx.nets;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import dev.featx.contract.Contract;
import dev.featx.contract.GoldenFiles;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Network file headers are parsed exactly as in the golden files, which Python's tests read too. */
class NetworkHeaderTest {
  private static final JsonNode SCHEMA = GoldenFiles.tree("../network-header.schema.json");

  private static NetworkHeader read(String json) {
    return Contract.readSparse(json, NetworkHeader.class);
  }

  @Test
  void aDetectorsHeaderIsParsedCompletely() {
    NetworkHeader header = read(GoldenFiles.read("network-header.json"));
    GoldenFiles.assertWritten("network-header.json", header);
    assertArrayEquals(new int[] {3, 64, 64}, header.input().shape());
    assertArrayEquals(new float[] {-123.5f, 151}, header.ranges().get("data"));
    assertArrayEquals(new int[] {160, 4}, header.detection().priors().shape());
    assertEquals(0.45f, header.detection().nmsThreshold());
  }

  @Test
  void anOnnxModelsHeaderIsParsedCompletely() {
    NetworkHeader header = read(GoldenFiles.read("network-header.onnx.json"));
    GoldenFiles.assertWritten("network-header.onnx.json", header);
    assertEquals(new NetworkHeader.OnnxModel(64, 5000), header.onnx());
    assertNull(header.detection());
  }

  @Test
  void recordsHaveTheFieldsOfTheSchema() {
    Map<String, Set<String>> documented = new HashMap<>(Map.of("NetworkHeader", names(SCHEMA.get("properties"))));
    SCHEMA.get("$defs").fields().forEachRemaining(part -> documented.put(part.getKey(), names(part.getValue().get("properties"))));
    Map<String, Set<String>> records = new HashMap<>();
    for (Class<?> type : List.of(NetworkHeader.class, NetworkHeader.Input.class, NetworkHeader.OnnxModel.class,
        NetworkHeader.SingleShot.class, Layer.class, Layer.Array.class)) {
      Set<String> fields = new TreeSet<>();
      Arrays.stream(type.getRecordComponents()).forEach(component -> fields.add(component.getName()));
      records.put(type.getSimpleName(), fields);
    }
    assertEquals(documented, records);
  }

  @Test
  void operationsHaveTheSettingsOfTheSchema() {
    Map<String, Set<String>> documented = new HashMap<>();
    for (JsonNode operation : SCHEMA.get("$defs").get("Layer").get("allOf")) {
      Set<String> settings = new HashSet<>();
      operation.get("then").get("properties").get("settings").get("required").forEach(name -> settings.add(name.asText()));
      documented.put(operation.get("if").get("properties").get("type").get("const").asText(), settings);
    }
    assertEquals(documented, Layer.SETTINGS);
  }

  @Test
  void aSettingThatTheOperationDoesNotHaveIsNotReadAsAbsent() {
    Layer layer = read(GoldenFiles.read("network-header.json")).layers().get(0);
    assertArrayEquals(new int[] {8, 8}, layer.ints("stride"));
    assertThrows(IllegalArgumentException.class, () -> layer.setting("factors"));
  }

  private static Set<String> names(JsonNode object) {
    Set<String> names = new TreeSet<>();
    object.fieldNames().forEachRemaining(names::add);
    return names;
  }

  @Test
  void misnamedAndMissingFieldsAreRejected() {
    String json = GoldenFiles.read("network-header.json");
    for (String[] change : new String[][] {{"\"outputs\"", "\"output\""}, {"\"detection\"", "\"ssd\""}, {"\"topK\"", "\"most\""},
        {"\"layers\"", "\"operations\""}, {"\"name\": \"tiny\",", ""}, {"\"groups\"", "\"group\""}, {"\"pad\": [0, 0],", ""},
        {"\"inputs\"", "\"input\""}}) {
      assertThrows(IllegalArgumentException.class, () -> read(json.replace(change[0], change[1])), change[0]);
    }
  }
}
