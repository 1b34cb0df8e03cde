package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.featx.contract.GoldenFiles;
import org.junit.jupiter.api.Test;

/** Hidden and system files are the same in archives as in folders; Python's tests read the same golden file. */
class HiddenFilesTest {
  @Test
  void namesAreHiddenAsInTheGoldenFile() {
    JsonNode names = GoldenFiles.tree("hidden-files.json");
    names.get("hidden").forEach(name -> assertTrue(HiddenFiles.isHidden(name.asText()), name.asText()));
    names.get("shown").forEach(name -> assertFalse(HiddenFiles.isHidden(name.asText()), name.asText()));
  }
}
