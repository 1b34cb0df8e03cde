package dev.featx.nets;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.featx.contract.Contract;
import dev.featx.contract.GoldenFiles;
import org.junit.jupiter.api.Test;

/** Network file headers are parsed exactly as in the golden files, which Python's tests read too. */
class NetworkHeaderTest {
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
  void misnamedAndMissingFieldsAreRejected() {
    String json = GoldenFiles.read("network-header.json");
    for (String[] change : new String[][] {{"\"outputs\"", "\"output\""}, {"\"detection\"", "\"ssd\""}, {"\"topK\"", "\"most\""},
        {"\"layers\"", "\"operations\""}, {"\"name\": \"tiny\",", ""}}) {
      assertThrows(IllegalArgumentException.class, () -> read(json.replace(change[0], change[1])), change[0]);
    }
  }
}
