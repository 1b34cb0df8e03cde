package dev.featx.source;

import dev.featx.image.ImageFormat;
import dev.featx.image.Signature;
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
  private static final Set<String> ENDINGS =
      Arrays.stream(ImageFormat.values()).flatMap(format -> format.endings().stream()).collect(Collectors.toUnmodifiableSet());

  static MemberSelection of(PackedSettings settings) {
    return new MemberSelection(settings.members() == null ? null : new GlobPattern(settings.members().toLowerCase(Locale.ROOT)));
  }

  /**
   * Returns whether a member is an image.
   *
   * @param name within the archive
   * @param head its first {@link Signature#LENGTH} bytes, or all if there are fewer
   */
  boolean isImage(String name, byte[] head) {
    return isNamedAsImage(name) || glob == null && Signature.of(head) != null;
  }

  /** Returns whether a member's name is an image's. */
  boolean isNamedAsImage(String name) {
    String file = name.substring(name.lastIndexOf('/') + 1).toLowerCase(Locale.ROOT);
    return glob == null ? ENDINGS.contains(file.substring(file.lastIndexOf('.') + 1)) && file.indexOf('.') >= 0 : glob.matches(file);
  }
}
