package dev.featx.source;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Which images of a file a run is to read: all, or those that its resource names. */
final class WantedImages {
  private final Set<String> remaining; // null for all

  private WantedImages(Set<String> remaining) {
    this.remaining = remaining;
  }

  /**
   * Chooses the images of a file.
   *
   * @param keys of images and whole files; empty for all
   * @param file its key
   */
  static WantedImages of(List<String> keys, String file) {
    if (keys.isEmpty() || keys.contains(file)) {
      return new WantedImages(null);
    }
    Set<String> remaining = new LinkedHashSet<>();
    keys.stream().filter(key -> key.startsWith(file + "/")).forEach(remaining::add);
    return new WantedImages(remaining);
  }

  /** Returns whether an image is to be read, once. */
  boolean take(String key) {
    return remaining == null || remaining.remove(key);
  }

  /** Returns whether the rest of the file need not be read. */
  boolean areAllTaken() {
    return remaining != null && remaining.isEmpty();
  }

  /** Returns, once, an image that the file does not have; null if there is none. */
  String takeMissing() {
    if (remaining == null || remaining.isEmpty()) {
      return null;
    }
    String key = remaining.iterator().next();
    remaining.remove(key);
    return key;
  }
}
