package dev.featx.image;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The functions of libvips (vips/vips.h) that Featx calls, by JNA.
 *
 * <p>Each loader is called by name. The library never guesses a format, so that of its forty loaders only these see untrusted
 * bytes. Variadic functions take pairs of an option's name and its value; JNA appends the final null.
 */
interface Vips extends Library {
  String NAME = "libvips.so.42";
  String PACKAGE = "libvips42"; // on Debian
  int SEQUENTIAL = 1; // VIPS_ACCESS_SEQUENTIAL
  int FAIL_ON_NONE = 0; // VIPS_FAIL_ON_NONE: a damaged image is decoded as far as possible
  int FAIL_ON_ERROR = 2; // VIPS_FAIL_ON_ERROR
  int UCHAR = 0; // VIPS_FORMAT_UCHAR
  int FLOAT = 6; // VIPS_FORMAT_FLOAT
  int GREY = 1; // VIPS_INTERPRETATION_B_W
  int LABQ = 2; // VIPS_CODING_LABQ: 8-bit L*a*b* in four bands
  int LAB = 13; // VIPS_INTERPRETATION_LAB
  int LAB_OF_16_BITS = 21; // VIPS_INTERPRETATION_LABS
  int CMYK = 15; // VIPS_INTERPRETATION_CMYK
  int SRGB = 22; // VIPS_INTERPRETATION_sRGB

  int vips_init(String program);

  void vips_concurrency_set(int threads);

  void vips_cache_set_max(int operations);

  void vips_thread_shutdown();

  void vips_error_clear();

  int vips_pngload_buffer(Pointer bytes, long size, PointerByReference image, Object... options);

  int vips_gifload_buffer(Pointer bytes, long size, PointerByReference image, Object... options);

  int vips_webpload_buffer(Pointer bytes, long size, PointerByReference image, Object... options);

  int vips_tiffload_buffer(Pointer bytes, long size, PointerByReference image, Object... options);

  int vips_heifload_buffer(Pointer bytes, long size, PointerByReference image, Object... options);

  int vips_image_get_width(Pointer image);

  int vips_image_get_height(Pointer image);

  int vips_image_get_bands(Pointer image);

  int vips_image_get_format(Pointer image);

  int vips_image_get_coding(Pointer image);

  int vips_image_get_interpretation(Pointer image);

  long vips_image_get_typeof(Pointer image, String field);

  int vips_image_get_blob(Pointer image, String field, PointerByReference bytes, long[] size);

  int vips_colourspace(Pointer image, PointerByReference converted, int interpretation, Object... options);

  int vips_cast(Pointer image, PointerByReference converted, int format, Object... options);

  Pointer vips_image_new_from_memory(Pointer pixels, long size, int width, int height, int bands, int format);

  int vips_image_write(Pointer image, Pointer target);

  int g_setenv(String name, String value, int overwrite);

  void g_object_unref(Pointer object);

  /** Returns the library, or null if it is not installed. */
  static Vips library() {
    return Loaded.LIBRARY;
  }

  /** Holds the library, or null. */
  final class Loaded {
    private static final Logger LOG = LoggerFactory.getLogger(Vips.class);
    private static final Vips LIBRARY = load();

    private Loaded() {}

    private static Vips load() {
      try {
        Vips vips = Native.load(NAME, Vips.class);
        vips.g_setenv("VIPS_WARNING", "0", 0); // its warnings about damaged files would fill the executor's log
        if (vips.vips_init("featx") != 0) {
          LOG.warn("{} cannot be initialized; only JPEG, BMP and opaque PNG are decoded", NAME);
          return null;
        }
        vips.vips_concurrency_set(1); // a shard's threads decode one image each
        vips.vips_cache_set_max(0); // no image is decoded twice
        HeifChroma.install(); // before any thread decodes
        return vips;
      } catch (UnsatisfiedLinkError e) {
        LOG.info("{} not found ({} on Debian); only JPEG, BMP and opaque PNG are decoded", NAME, PACKAGE);
        return null;
      }
    }
  }
}
