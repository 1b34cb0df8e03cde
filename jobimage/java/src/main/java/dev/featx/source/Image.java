package dev.featx.source;

import dev.featx.image.ImageProblem;
import java.io.IOException;

/**
 * An encoded image of the source.
 *
 * @param key by which the table names it
 * @param held bytes that it takes of the heap already, before its content is asked for
 * @param content hands out its bytes, in whichever thread asks
 */
public record Image(String key, long held, Content content) {
  /** Reads an image, or hands out what was read. */
  public interface Content {
    /**
     * Returns the encoded bytes.
     *
     * @throws ImageProblem if it is this image's problem that there are none
     * @throws IOException if it is the source's
     */
    byte[] bytes() throws ImageProblem, IOException, InterruptedException;
  }
}
