package dev.featx.task;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.contract.GoldenFiles;
import dev.featx.nets.Compilation;
import dev.featx.nets.Engine;
import dev.featx.nets.SeenValues;
import dev.featx.source.Patience;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Settings are parsed and results are written exactly as in the golden files, which Python's tests read too. */
class TaskContractTest {
  private static final Patience.Observer NO_OBSERVER = what -> {};

  @Test
  void settingsAreParsedCompletely() {
    TaskSettings settings = GoldenFiles.assertParsed("task-settings.json", json -> TaskSettings.read(json, NO_OBSERVER));
    assertEquals(new SubjectPolicy(Set.of(3, 7), 0.6f, 0.2f, 0.05f, true), settings.detector().policy());
    assertArrayEquals(new float[] {104, 117, 123}, settings.detector().input().mean());
    assertArrayEquals(new int[] {255, 128, 0}, settings.decoding().background());
    assertTrue(settings.decoding().keepDamaged() && settings.table().damaged());
    assertEquals(0.25f, settings.extractor().binarization().threshold());
    assertEquals(new Compilation(Engine.OPENVINO, "bf16", 8, 6, 4), settings.compilation());
    assertEquals(90, settings.table().patience().seconds());
    assertSame(NO_OBSERVER, settings.source().patience().observer());
    assertEquals("s3a://images/", settings.source().samples().base());
    assertEquals(2, settings.source().samples().objects().size());
  }

  @Test
  void unusedSettingsAreNull() {
    TaskSettings settings = GoldenFiles.assertParsed("task-settings.least.json", json -> TaskSettings.read(json, NO_OBSERVER));
    assertNull(settings.detector());
    assertNull(settings.table());
    assertNull(settings.extractor().binarization());
  }

  @Test
  void valuesOfOtherTypesAreRejected() {
    String json = GoldenFiles.read("task-settings.json");
    for (String[] change : new String[][] {{"40000000", "\"40000000\""}, {"40000000", "4.5"}, {"40000000", "null"},
        {"\"openvino\"", "\"tensorflow\""}, {"\"logged\": true", "\"logged\": 1"}}) {
      String changed = json.replace(change[0], change[1]);
      assertThrows(IllegalArgumentException.class, () -> TaskSettings.read(changed, NO_OBSERVER), change[1]);
    }
  }

  @Test
  void resultsAreWrittenCompletely() {
    GoldenFiles.assertWritten("read-result.json",
        new ReadResult(999, 4_999_999_999L, 2, 0).plus(new ReadResult(1, 1, 0, 0)).in(12.5));
    GoldenFiles.assertWritten("comparison.json", new Comparison(64, 0.9921875, 0.875, 0.953125));
    SeenValues detector = new SeenValues(new float[] {-123.5f, 151}, new float[][] {{0, 6.5f}, {-1.25f, 0.75f}});
    SeenValues extractor = new SeenValues(new float[] {-1, 1}, new float[][] {{0, 14.5f}});
    GoldenFiles.assertWritten("observation.json", new Observation(64, detector, extractor));
    GoldenFiles.assertWritten("observation.unused.json", new Observation(0, null, null));
  }
}
