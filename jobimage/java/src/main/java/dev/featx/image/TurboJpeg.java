package dev.featx.image;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The functions of libjpeg-turbo (turbojpeg.h) that Featx calls.
 *
 * <p>BigDL's OpenCV was built with a libjpeg-turbo that uses no vector instructions. This library decodes a JPEG to the same
 * pixels in less than half the time. It is optional; Featx's image contains it.
 */
interface TurboJpeg extends Library {
  String NAME = "libturbojpeg.so.0";
  int BGR = 1; // TJPF_BGR
  int CMYK = 3; // TJCS_CMYK; above it, YCCK
  int WARNING = 0; // TJERR_WARNING: partly damaged, but decoded

  Pointer tjInitDecompress();

  int tjDecompressHeader3(Pointer handle, byte[] jpeg, long size, IntByReference width, IntByReference height,
      IntByReference subsampling, IntByReference colors);

  int tjDecompress2(Pointer handle, byte[] jpeg, long size, Pointer pixels, int width, int pitch, int height, int format,
      int flags);

  int tjGetErrorCode(Pointer handle);

  int tjDestroy(Pointer handle);

  /**
   * Decodes a JPEG.
   *
   * @param bytes the file
   * @param header its header, whose size the pixels must have
   * @return CV_8UC3 as stored, not turned upright, which the caller releases; null without the library, and for files left to
   *     OpenCV: those with four colour components, and those that this library cannot decode
   */
  static Mat decode(byte[] bytes, ImageHeader header) {
    TurboJpeg library = Loaded.LIBRARY;
    if (library == null) {
      return null;
    }
    Pointer handle = library.tjInitDecompress();
    try {
      IntByReference width = new IntByReference();
      IntByReference height = new IntByReference();
      IntByReference colors = new IntByReference();
      int read =
          library.tjDecompressHeader3(handle, bytes, bytes.length, width, height, new IntByReference(), colors);
      boolean sameSize = width.getValue() == header.width() && height.getValue() == header.height();
      if (read != 0 || !sameSize || colors.getValue() >= CMYK) {
        return null;
      }
      Mat pixels = new Mat(header.height(), header.width(), CvType.CV_8UC3);
      int decoded = library.tjDecompress2(handle, bytes, bytes.length, new Pointer(pixels.dataAddr()), header.width(),
          (int) pixels.step1(), header.height(), BGR, 0);
      if (decoded != 0 && library.tjGetErrorCode(handle) != WARNING) {
        pixels.release();
        return null;
      }
      return pixels;
    } finally {
      library.tjDestroy(handle);
    }
  }

  /** Holds the library, or null. */
  final class Loaded {
    private static final Logger LOG = LoggerFactory.getLogger(TurboJpeg.class);
    private static final TurboJpeg LIBRARY = load();

    private Loaded() {}

    private static TurboJpeg load() {
      try {
        return Native.load(NAME, TurboJpeg.class);
      } catch (UnsatisfiedLinkError e) {
        LOG.info("{} not found (libturbojpeg0 on Debian); falling back to OpenCV, at about half the speed", NAME);
        return null;
      }
    }
  }
}
