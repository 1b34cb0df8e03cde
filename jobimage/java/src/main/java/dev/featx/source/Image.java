package dev.featx.source;

import dev.featx.image.ImageProblem;
import java.io.IOException;

/**
 * An encoded image of the source.
 *
 * @param key of the image in the table
 * @param held bytes that it already occupies in the heap, before its content is read
 * @param content provides its bytes, in the calling thread
 */
public record Image(String key, long held, Content content) {
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
