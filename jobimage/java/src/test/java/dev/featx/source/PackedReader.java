package dev.featx.source;

import dev.featx.image.ImageProblem;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;

/** Reads a file of many images as a run does. */
final class PackedReader {
  static final PackedSettings AUTO = new PackedSettings(PackedSettings.Format.AUTO, null, null, null, null, List.of());

  private PackedReader() {}

  /**
   * The rows of a file.
   *
   * @param keys of images, without the file's name
   * @param problems reasons and messages of all others
   */
  record Result(List<String> keys, List<String> problems) {
    /** Returns the problems' reasons. */
    List<String> reasons() {
      return problems.stream().map(problem -> problem.substring(0, problem.indexOf(':'))).toList();
    }
  }

  /**
   * Writes a file and reads it.
   *
   * @param path of the file
   * @param keys of the images to read; empty for all
   */
  static Result read(Path path, byte[] content, PackedSettings settings, String... keys) throws IOException, InterruptedException {
    Files.write(path, content);
    String name = path.getFileName().toString();
    StoredObjects.StoredObject object = new StoredObjects.StoredObject(name, "file://" + path, content.length);
    ReadSettings limits = new ReadSettings(1 << 20, null, new Patience(1, what -> {}), new ReadSettings.Samples("", List.of()), List.of());
    Result result = new Result(new ArrayList<>(), new ArrayList<>());
    PackedImages packed = new PackedImages(List.of(object), settings, PackedSection.WHOLE, List.of(keys));
    try (Images images = packed.open(limits, new Configuration())) {
      for (Image image = images.next(); image != null; image = images.next()) {
        try {
          image.content().bytes();
          result.keys.add(image.key().substring(name.length() + 1));
        } catch (ImageProblem problem) {
          result.problems.add(problem.reason().label() + ": " + problem.getMessage());
        }
      }
    }
    return result;
  }

  static byte[] joined(byte[]... parts) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      bytes.writeBytes(part);
    }
    return bytes.toByteArray();
  }
}
