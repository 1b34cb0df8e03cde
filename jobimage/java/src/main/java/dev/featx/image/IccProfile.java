package dev.featx.image;

import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.opencv.core.Mat;

/**
 * Converts pixels from an image's ICC profile to sRGB with Little CMS, as viewers do.
 *
 * <p>Profiles of sRGB, of which there are many, leave every pixel as it is; so do those of grey and CMYK, and damaged ones.
 */
final class IccProfile {
  private static final int RGB_SPACE = 0x52474220; // cmsSigRgbData
  private static final int RGB = 0x40019; // TYPE_RGB_8
  private static final int BGR = 0x40419; // TYPE_BGR_8
  private static final int RGBA = 0x40099; // TYPE_RGBA_8
  private static final int LAB = 0x1E0019; // TYPE_LabV2_8
  private static final int PERCEPTUAL = 0;
  private static final int FLAGS = 0x40 | 0x04000000; // no cache, so that threads share a transform; alpha is copied
  private static final int HEADER = 128;
  private static final int LONGEST = 1 << 24; // bytes, as JPEG can hold
  private static final int LONGEST_SHARED = 1 << 20; // the transforms of longer ones are not kept in memory
  private static final int MOST_TRANSFORMS = 64; // photos share a few profiles
  private static final int STEPS = 6; // per channel, of the colours by which sRGB is recognized
  private static final int SAME = 3; // of 255: profiles of sRGB are rounded differently
  private static final Map<Key, Transform> TRANSFORMS = new ConcurrentHashMap<>();

  private IccProfile() {}

  /** The functions of Little CMS (lcms2.h); libvips depends on it. */
  private interface LittleCms extends Library {
    Pointer cmsOpenProfileFromMem(byte[] bytes, int size);

    Pointer cmsCreate_sRGBProfile();

    Pointer cmsCreateLab2Profile(Pointer whitePoint);

    int cmsGetColorSpace(Pointer profile);

    int cmsCloseProfile(Pointer profile);

    Pointer cmsCreateTransform(Pointer input, int inputFormat, Pointer output, int outputFormat, int intent, int flags);

    void cmsDoTransform(Pointer transform, Pointer input, Pointer output, int pixels);

    void cmsDeleteTransform(Pointer transform);
  }

  /** A profile, for pixels of a format. */
  private record Key(int format, ByteBuffer profile) {}

  /** A conversion to sRGB; null if pixels stay as they are. */
  private record Transform(Pointer pointer) {}

  /**
   * Converts an image of three channels as BGR, or of four as RGBA, in place.
   *
   * @param image of other channels, it is left as it is
   * @param profile or null
   * @param bgr whether blue is the first channel
   */
  static void toSrgb(Mat image, byte[] profile, boolean bgr) {
    if (profile == null || profile.length < HEADER || profile.length > LONGEST || image.channels() < 3 || Loaded.LIBRARY == null) {
      return;
    }
    int format = image.channels() == 4 ? RGBA : bgr ? BGR : RGB;
    Key key = new Key(format, ByteBuffer.wrap(profile));
    boolean stored = profile.length <= LONGEST_SHARED && (TRANSFORMS.containsKey(key) || TRANSFORMS.size() < MOST_TRANSFORMS);
    Transform transform = stored ? TRANSFORMS.computeIfAbsent(key, any -> transform(profile, format)) : transform(profile, format);
    if (transform.pointer == null) {
      return;
    }
    Pointer pixels = new Pointer(image.dataAddr());
    Loaded.LIBRARY.cmsDoTransform(transform.pointer, pixels, pixels, (int) image.total());
    if (!stored) {
      Loaded.LIBRARY.cmsDeleteTransform(transform.pointer);
    }
  }

  /** Converts CIE L*a*b* with the white point of ICC, D50, to RGB, in place. */
  static void fromLab(Mat image) {
    LittleCms cms = Loaded.LIBRARY;
    Pointer input = cms.cmsCreateLab2Profile(null);
    Pointer output = cms.cmsCreate_sRGBProfile();
    Pointer transform = cms.cmsCreateTransform(input, LAB, output, RGB, PERCEPTUAL, 0);
    Pointer pixels = new Pointer(image.dataAddr());
    cms.cmsDoTransform(transform, pixels, pixels, (int) image.total());
    cms.cmsDeleteTransform(transform);
    cms.cmsCloseProfile(input);
    cms.cmsCloseProfile(output);
  }

  private static Transform transform(byte[] profile, int format) {
    LittleCms cms = Loaded.LIBRARY;
    Pointer input = cms.cmsOpenProfileFromMem(profile, profile.length);
    if (input == null) {
      return new Transform(null);
    }
    Pointer output = cms.cmsCreate_sRGBProfile();
    try {
      boolean rgb = cms.cmsGetColorSpace(input) == RGB_SPACE;
      Pointer plain = rgb ? cms.cmsCreateTransform(input, RGB, output, RGB, PERCEPTUAL, FLAGS) : null;
      if (plain == null) {
        return new Transform(null);
      }
      boolean same = changesNothing(cms, plain);
      cms.cmsDeleteTransform(plain);
      return new Transform(same ? null : cms.cmsCreateTransform(input, format, output, format, PERCEPTUAL, FLAGS));
    } finally {
      cms.cmsCloseProfile(input);
      cms.cmsCloseProfile(output);
    }
  }

  private static boolean changesNothing(LittleCms cms, Pointer transform) {
    byte[] colours = new byte[3 * STEPS * STEPS * STEPS];
    for (int i = 0; i < colours.length; i++) {
      int step = i % 3 == 0 ? i / 3 : i % 3 == 1 ? i / 3 / STEPS : i / 3 / STEPS / STEPS;
      colours[i] = (byte) (step % STEPS * 255 / (STEPS - 1));
    }
    try (Memory pixels = new Memory(colours.length)) {
      pixels.write(0, colours, 0, colours.length);
      cms.cmsDoTransform(transform, pixels, pixels, colours.length / 3);
      for (int i = 0; i < colours.length; i++) {
        if (Math.abs((pixels.getByte(i) & 0xFF) - (colours[i] & 0xFF)) > SAME) {
          return false;
        }
      }
    }
    return true;
  }

  /** Holds the library, or null. */
  private static final class Loaded {
    private static final LittleCms LIBRARY = load();

    private Loaded() {}

    private static LittleCms load() {
      try {
        return Native.load("liblcms2.so.2", LittleCms.class);
      } catch (UnsatisfiedLinkError e) {
        return null; // Vips reports that libraries are missing
      }
    }
  }
}
