package dev.featx.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** The documents in jobimage/contract/golden, exactly as written and parsed by Java and Python, whose tests read them too. */
public final class GoldenFiles {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path FOLDER = Path.of("..", "contract", "golden");

  private GoldenFiles() {}

  /** Returns the JSON of a golden file. */
  public static String read(String name) {
    try {
      return Files.readString(FOLDER.resolve(name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns the JSON of a golden file, parsed. */
  public static JsonNode tree(String name) {
    return tree(() -> read(name));
  }

  /** Checks that a document is written exactly as in a golden file. */
  public static void assertWritten(String name, Object document) {
    assertEquals(tree(name), tree(() -> Contract.write(document)), name);
  }

  /**
   * Checks that a golden file is parsed without loss, and rejected if any field is missing or misnamed.
   *
   * @param name of the file
   * @param parse parses its JSON
   * @return the parsed document
   */
  public static <T> T assertParsed(String name, Function<String, T> parse) {
    for (List<String> path : paths(tree(name), List.of())) {
      for (boolean misnamed : new boolean[] {false, true}) {
        ObjectNode changed = (ObjectNode) tree(name);
        ObjectNode part = changed;
        for (String key : path.subList(0, path.size() - 1)) {
          part = (ObjectNode) part.get(key);
        }
        JsonNode value = part.remove(path.get(path.size() - 1));
        if (misnamed) {
          part.set(path.get(path.size() - 1) + "Renamed", value);
        }
        assertThrows(IllegalArgumentException.class, () -> parse.apply(changed.toString()), name + " without " + path);
      }
    }
    T document = parse.apply(read(name));
    assertWritten(name, document);
    return document;
  }

  private static List<List<String>> paths(JsonNode node, List<String> above) {
    List<List<String>> paths = new ArrayList<>();
    node.fields().forEachRemaining(field -> {
      List<String> path = new ArrayList<>(above);
      path.add(field.getKey());
      paths.add(path);
      paths.addAll(paths(field.getValue(), path));
    });
    return paths;
  }

  private interface Source {
    String read();
  }

  private static JsonNode tree(Source source) {
    try {
      return JSON.readTree(source.read());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
