package dev.featx.source;

import dev.featx.image.ImageFormat;
import dev.featx.image.Signature;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Decides which members of an archive are images: labels are stored beside them, and programs leave files of their own.
 *
 * @param names of images, folded, or null for members whose content or ending is an image's
 */
record MemberSelection(Pattern names) {
  private static final Set<String> ENDINGS =
      Arrays.stream(ImageFormat.values()).flatMap(format -> format.endings().stream()).collect(Collectors.toUnmodifiableSet());

  static MemberSelection of(PackedSettings settings) {
    return new MemberSelection(settings.members() == null ? null : Pattern.compile(settings.members(), Pattern.DOTALL));
  }

  /**
   * Returns whether a member is an image.
   *
   * @param name within the archive
   * @param head its first {@link Signature#LENGTH} bytes, or all if there are fewer
   */
  boolean isImage(String name, byte[] head) {
    return isNamedAsImage(name) || names == null && Signature.of(head) != null;
  }

  /** Returns whether a member's name is an image's. */
  boolean isNamedAsImage(String name) {
    if (names != null) {
      return names.matcher(ImageKeys.folded(name.startsWith("./") ? name.substring(2) : name)).matches();
    }
    String file = name.substring(name.lastIndexOf('/') + 1).toLowerCase(Locale.ROOT);
    return ENDINGS.contains(file.substring(file.lastIndexOf('.') + 1)) && file.indexOf('.') >= 0;
  }
}
