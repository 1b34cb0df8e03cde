package dev.featx.image;

import java.io.Serializable;

/**
 * How images are decoded.
 *
 * @param background red, green and blue, from 0 to 255, that show through transparent pixels
 * @param keepDamaged whether a partly damaged image is decoded as far as possible instead of quarantined
 */
public record Decoding(int[] background, boolean keepDamaged) implements Serializable {
  /** The defaults: a white background, and no damaged images. */
  static final Decoding DEFAULT = new Decoding(new int[] {255, 255, 255}, false);
}
