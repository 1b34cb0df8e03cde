package dev.featx.image;

import com.sun.jna.Callback;
import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import org.opencv.core.CvType;
import org.opencv.core.Mat;

/**
 * The functions of libtiff (tiffio.h) that Featx calls, by JNA, for TIFFs that libvips refuses: JPEG of the old style, chroma of a
 * lower resolution, planes in tiles, and signed numbers.
 *
 * <p>libvips depends on this library, so that it is there wherever libvips is.
 */
interface LibTiff extends Library {
  String NAME = "libtiff.so.6";
  int MESSAGE = 1024; // bytes of a buffer for the reason why an image is refused

  /** Reads or writes bytes. */
  interface Transfer extends Callback {
    long transfer(Pointer handle, Pointer buffer, long size);
  }

  /** Goes to a position, from the start (0), the current position (1) or the end (2). */
  interface Seek extends Callback {
    long seek(Pointer handle, long offset, int whence);
  }

  /** Closes the file. */
  interface Close extends Callback {
    int close(Pointer handle);
  }

  /** Returns the file's size. */
  interface Size extends Callback {
    long size(Pointer handle);
  }

  Pointer TIFFClientOpen(String name, String mode, Pointer handle, Transfer read, Transfer write, Seek seek, Close close, Size size,
      Pointer map, Pointer unmap);

  int TIFFRGBAImageOK(Pointer tiff, Memory message);

  int TIFFReadRGBAImageOriented(Pointer tiff, int width, int height, Pointer raster, int orientation, int stopOnError);

  void TIFFClose(Pointer tiff);

  Pointer TIFFSetErrorHandler(Pointer handler);

  Pointer TIFFSetWarningHandler(Pointer handler);

  /** Returns whether the library decodes the first page. */
  static boolean decodes(byte[] bytes) {
    try (File file = new File(bytes); Memory message = new Memory(MESSAGE)) {
      return file.tiff != null && file.library.TIFFRGBAImageOK(file.tiff, message) != 0;
    }
  }

  /**
   * Decodes the first page.
   *
   * @return CV_8UC4 as red, green, blue and alpha, by which colours are multiplied, as stored, not turned upright; the caller
   *     releases it; null if it cannot be decoded whole
   */
  static Mat decode(byte[] bytes, ImageHeader header) {
    try (File file = new File(bytes)) {
      if (file.tiff == null) {
        return null;
      }
      Mat pixels = new Mat(header.height(), header.width(), CvType.CV_8UC4);
      int stored = header.orientation().ordinal() + 1; // the library would turn some
      Pointer raster = new Pointer(pixels.dataAddr());
      if (file.library.TIFFReadRGBAImageOriented(file.tiff, header.width(), header.height(), raster, stored, 1) != 0) {
        return pixels;
      }
      pixels.release();
      return null;
    }
  }

  /** An open file. */
  final class File implements AutoCloseable {
    private final LibTiff library = Loaded.LIBRARY;
    private final byte[] bytes;
    private long position;
    // The library calls these until the file is closed, so they must not be collected.
    private final Transfer read = this::read;
    private final Transfer write = (handle, buffer, size) -> 0;
    private final Seek seek = this::seek;
    private final Close close = handle -> 0;
    private final Size size;
    private final Pointer tiff;

    private File(byte[] bytes) {
      this.bytes = bytes;
      size = handle -> bytes.length;
      tiff = library == null ? null : library.TIFFClientOpen("image", "rm", null, read, write, seek, close, size, null, null);
    }

    private long read(Pointer handle, Pointer buffer, long length) {
      int count = (int) Math.max(0, Math.min(length, bytes.length - position));
      if (count > 0) {
        buffer.write(0, bytes, (int) position, count);
        position += count;
      }
      return count;
    }

    private long seek(Pointer handle, long offset, int whence) {
      long target = offset + (whence == 1 ? position : whence == 2 ? bytes.length : 0);
      if (target < 0) {
        return -1;
      }
      position = target;
      return target;
    }

    @Override
    public void close() {
      if (tiff != null) {
        library.TIFFClose(tiff);
      }
    }
  }

  /** Holds the library, or null. */
  final class Loaded {
    private static final LibTiff LIBRARY = load();

    private Loaded() {}

    private static LibTiff load() {
      try {
        LibTiff library = Vips.library() == null ? null : Native.load(NAME, LibTiff.class);
        if (library != null) {
          library.TIFFSetErrorHandler(null); // messages about damaged files would fill the executor's log
          library.TIFFSetWarningHandler(null);
        }
        return library;
      } catch (UnsatisfiedLinkError e) {
        return null; // Vips reports that libraries are missing
      }
    }
  }
}
