package dev.featx.source;

import dev.featx.image.ImageFormat;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.GlobPattern;

/**
 * Decides which members of an archive are images: labels are stored beside them, and programs leave files of their own.
 *
 * @param glob of the names in lower case, or null for members whose content or ending is an image's
 */
record MemberSelection(GlobPattern glob) {
  /** As many bytes of a member as its content is recognized by. */
  static final int HEAD = 32;

  private static final Set<String> ENDINGS =
      Arrays.stream(ImageFormat.values()).flatMap(format -> format.endings().stream()).collect(Collectors.toUnmodifiableSet());
  private static final Set<String> SYSTEM = Set.of("__macosx", "thumbs.db", "desktop.ini");

  static MemberSelection of(PackedSettings settings) {
    return new MemberSelection(settings.members() == null ? null : new GlobPattern(settings.members().toLowerCase(Locale.ROOT)));
  }

  /** Returns whether a file is hidden, or a system's own, such as ._image.jpg and __MACOSX/. */
  static boolean isHidden(String name) {
    for (String part : name.toLowerCase(Locale.ROOT).split("/")) {
      if (SYSTEM.contains(part) || part.startsWith(".") && !part.equals(".") && !part.equals("..")) {
        return true;
      }
    }
    return false;
  }

  /**
   * Returns whether a member is an image.
   *
   * @param name within the archive
   * @param head its first {@link #HEAD} bytes, or all if there are fewer
   */
  boolean isImage(String name, byte[] head) {
    return isNamedAsImage(name) || glob == null && ImageSignature.matches(head);
  }

  /** Returns whether a member's name is an image's. */
  boolean isNamedAsImage(String name) {
    String file = name.substring(name.lastIndexOf('/') + 1).toLowerCase(Locale.ROOT);
    return glob == null ? ENDINGS.contains(file.substring(file.lastIndexOf('.') + 1)) && file.indexOf('.') >= 0 : glob.matches(file);
  }
}
