package dev.featx.image;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;
import java.util.ArrayList;
import java.util.List;
import org.opencv.core.Core;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.core.Scalar;

/**
 * An image opened by libvips: its header is read, its pixels are decoded by {@link #pixels}.
 *
 * <p>Must be closed by the thread that opened it. Of animations and files of several pages, it is the first frame or page.
 */
final class VipsImage implements AutoCloseable {
  private static final int MOST_BANDS = 4; // colours and transparency

  private final Vips vips;
  private final Memory encoded;
  private final List<Pointer> images = new ArrayList<>();

  /** The image cannot be read, for a reason that libvips has only as text. */
  static final class VipsException extends Exception {
    private static final long serialVersionUID = 1L;

    VipsException() {
      super(null, null, false, false);
    }
  }

  /** Loads an encoded image. */
  private interface Loader {
    int load(Pointer bytes, long size, PointerByReference image, Object... options);
  }

  /** Calls a function that stores an image. */
  private interface Operation {
    int run(PointerByReference image);
  }

  private VipsImage(Vips vips, byte[] bytes) {
    this.vips = vips;
    encoded = new Memory(bytes.length);
    encoded.write(0, bytes, 0, bytes.length);
  }

  /**
   * Opens an image.
   *
   * @param vips the library
   * @param bytes the encoded image
   * @param format one that {@link #loads} names
   * @param lenient whether a damaged image is decoded as far as possible
   * @throws VipsException if the header cannot be read
   */
  static VipsImage open(Vips vips, byte[] bytes, ImageFormat format, boolean lenient) throws VipsException {
    VipsImage image = new VipsImage(vips, bytes);
    try {
      Object[] options = {"access", Vips.SEQUENTIAL, "fail_on", lenient ? Vips.FAIL_ON_NONE : Vips.FAIL_ON_ERROR};
      image.run(opened -> loader(vips, format).load(image.encoded, bytes.length, opened, options));
      return image;
    } catch (VipsException | RuntimeException | UnsatisfiedLinkError e) {
      image.close();
      throw e;
    }
  }

  private static Loader loader(Vips vips, ImageFormat format) {
    return switch (format) {
      case PNG -> vips::vips_pngload_buffer;
      case GIF -> vips::vips_gifload_buffer;
      case WEBP -> vips::vips_webpload_buffer;
      case TIFF -> vips::vips_tiffload_buffer;
      case AVIF, HEIC -> vips::vips_heifload_buffer;
      case JPEG, BMP, JPEG_2000 -> throw new IllegalArgumentException(format.label() + " is not decoded by libvips");
    };
  }

  int width() {
    return vips.vips_image_get_width(last());
  }

  int height() {
    return vips.vips_image_get_height(last());
  }

  int bands() {
    return vips.vips_image_get_bands(last());
  }

  /** Returns whether it has more channels than colours and transparency. */
  boolean hasTooManyBands() {
    return bands() > MOST_BANDS;
  }

  boolean isCmyk() {
    return vips.vips_image_get_interpretation(last()) == Vips.CMYK;
  }

  /** Returns whether its colours are CIE L*a*b*, without transparency. */
  boolean isLab() {
    int interpretation = vips.vips_image_get_interpretation(last());
    return (bands() == 3 || vips.vips_image_get_coding(last()) == Vips.LABQ)
        && (interpretation == Vips.LAB || interpretation == Vips.LAB_OF_16_BITS);
  }

  /** Returns a block of metadata, or null. */
  byte[] metadata(String field) {
    if (vips.vips_image_get_typeof(last(), field) == 0) {
      return null;
    }
    PointerByReference bytes = new PointerByReference();
    long[] size = new long[1];
    return vips.vips_image_get_blob(last(), field, bytes, size) == 0 ? bytes.getValue().getByteArray(0, (int) size[0]) : null;
  }

  /**
   * Decodes the pixels.
   *
   * @return one byte per channel: grey, grey and alpha, RGB, RGBA, CMYK as stored, or CIE L*a*b* whose middle is 128; the caller
   *     releases it
   * @throws VipsException if they are damaged
   */
  Mat pixels() throws VipsException {
    if (isLab()) {
      return lab();
    }
    int interpretation = vips.vips_image_get_interpretation(last());
    if (interpretation != Vips.SRGB && interpretation != Vips.GREY && interpretation != Vips.CMYK) {
      Pointer stored = last();
      run(converted -> vips.vips_colourspace(stored, converted, Vips.SRGB));
    }
    if (vips.vips_image_get_format(last()) != Vips.UCHAR) {
      Pointer deep = last();
      run(converted -> vips.vips_cast(deep, converted, Vips.UCHAR, "shift", isCmyk() ? 1 : 0));
    }
    return written(new Mat(height(), width(), CvType.CV_8UC(bands())), Vips.UCHAR);
  }

  private Mat lab() throws VipsException {
    Pointer stored = last();
    run(converted -> vips.vips_colourspace(stored, converted, Vips.LAB));
    Pointer plain = last();
    run(converted -> vips.vips_cast(plain, converted, Vips.FLOAT));
    Mat pixels = written(new Mat(height(), width(), CvType.CV_32FC3), Vips.FLOAT);
    Core.multiply(pixels, new Scalar(2.55, 1, 1), pixels); // lightness is from 0 to 100
    Core.add(pixels, new Scalar(0, 128, 128), pixels);
    pixels.convertTo(pixels, CvType.CV_8U);
    return pixels;
  }

  private Mat written(Mat pixels, int format) throws VipsException {
    Pointer image = last();
    Pointer target = vips.vips_image_new_from_memory(new Pointer(pixels.dataAddr()), pixels.total() * pixels.elemSize(), width(),
        height(), bands(), format);
    images.add(target);
    if (vips.vips_image_write(image, target) != 0) {
      pixels.release();
      throw failed();
    }
    return pixels;
  }

  private void run(Operation operation) throws VipsException {
    PointerByReference result = new PointerByReference();
    if (operation.run(result) != 0) {
      throw failed();
    }
    images.add(result.getValue());
  }

  private VipsException failed() {
    vips.vips_error_clear(); // its messages are shared by all threads, so they may tell of another image
    return new VipsException();
  }

  private Pointer last() {
    return images.get(images.size() - 1);
  }

  @Override
  public void close() {
    for (int i = images.size() - 1; i >= 0; i--) {
      vips.g_object_unref(images.get(i));
    }
    encoded.close();
    vips.vips_thread_shutdown(); // frees what the library holds for this thread
  }
}
