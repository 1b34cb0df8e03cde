package dev.featx.source;

import dev.featx.image.ImageProblem;
import java.io.IOException;
import java.util.Map;

/**
 * An encoded image of the source.
 *
 * @param key of the image in the table
 * @param held bytes that it already occupies in the heap, before its content is read
 * @param content provides its bytes, in the calling thread
 * @param carried values of the source that become columns of the table
 */
public record Image(String key, long held, Content content, Map<String, String> carried) {
  /** Creates an image with which nothing else is carried into the table. */
  public Image(String key, long held, Content content) {
    this(key, held, content, Map.of());
  }

  /** Reads an image, or returns bytes that were read before. */
  public interface Content {
    /**
     * Returns the encoded bytes.
     *
     * @throws ImageProblem if this image cannot be read
     * @throws IOException if the source fails
     */
    byte[] bytes() throws ImageProblem, IOException, InterruptedException;
  }
}
