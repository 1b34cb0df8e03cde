package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.featx.contract.GoldenFiles;
import java.util.HexFormat;
import java.util.Random;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;

/** Keys of names of any bytes; Python's tests read the same golden file. */
class ImageKeysTest {
  private static final byte[] TRICKY = {'\\', 'x', '4', 'f', '/', 'a', '\n', '%', ' ', (byte) 0xE2, (byte) 0x82, (byte) 0xAC, -1};

  @Test
  void namesHaveTheKeysOfTheGoldenFile() {
    for (JsonNode pair : GoldenFiles.tree("image-keys.json").get("keys")) {
      byte[] name = HexFormat.of().parseHex(pair.get(0).asText());
      assertEquals(pair.get(1).asText(), ImageKeys.of(name));
      assertArrayEquals(name, ImageKeys.bytes(pair.get(1).asText()));
    }
  }

  @Test
  void everyKeyLeadsBackToItsNameAndSoDoesItsPathInHadoop() {
    Random random = new Random(7);
    for (int i = 0; i < 20_000; i++) {
      byte[] name = new byte[random.nextInt(12)];
      for (int j = 0; j < name.length; j++) {
        name[j] = random.nextInt(4) == 0 ? (byte) random.nextInt(256) : TRICKY[random.nextInt(TRICKY.length)];
      }
      String key = ImageKeys.of(name);
      assertArrayEquals(name, ImageKeys.bytes(key), key);
      assertArrayEquals(name, ImageKeys.pathBytes(ImageKeys.path(key)), key);
      assertEquals(key, ImageKeys.of(ImageKeys.bytes(key)));
    }
  }

  @Test
  void aPathInHadoopHoldsEveryByteOfAName() {
    String key = "a b/caf\\xE9%41 +#?\\x0A:\uD83D\uDE00.jpg";
    Path path = new StoredObjects.StoredObject(key, "file:///my photos/" + key, 1).path();
    assertEquals("/my photos/" + key, ImageKeys.of(ImageKeys.pathBytes(path.toUri().getPath())));
  }

  @Test
  void neitherCaseNorNormalFormsMatterToGlobs() {
    assertEquals(ImageKeys.folded("café-σ.jpg"), ImageKeys.folded("CAFE\u0301-Σ.JPG"));
  }
}
