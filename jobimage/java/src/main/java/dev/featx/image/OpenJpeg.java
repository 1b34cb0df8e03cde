package dev.featx.image;

import com.sun.jna.Callback;
import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;

/**
 * The functions of OpenJPEG (openjpeg.h, libopenjp2.so.7) that Featx calls, by JNA.
 *
 * <p>Debian 12's libvips writes beyond its buffers if a palette changes the number of channels, or if an image does not begin at
 * the origin of its reference grid. It depends on this library, so that it is there wherever libvips is.
 */
interface OpenJpeg extends Library {
  String NAME = "libopenjp2.so.7";
  int STREAM = 0; // OPJ_CODEC_J2K
  int FILE = 2; // OPJ_CODEC_JP2
  int PARAMETERS = 1 << 14; // more than the size of opj_dparameters_t
  long CHUNK = 1 << 20;

  /** Reads bytes into a buffer; returns how many, or -1 at the end. */
  interface Read extends Callback {
    long read(Pointer buffer, long size, Pointer data);
  }

  /** Skips bytes; returns how many, or -1 at the end. */
  interface Skip extends Callback {
    long skip(long size, Pointer data);
  }

  /** Goes to a position; returns whether it is in the file. */
  interface Seek extends Callback {
    boolean seek(long position, Pointer data);
  }

  Pointer opj_stream_create(long buffer, boolean input);

  void opj_stream_set_read_function(Pointer stream, Read read);

  void opj_stream_set_skip_function(Pointer stream, Skip skip);

  void opj_stream_set_seek_function(Pointer stream, Seek seek);

  void opj_stream_set_user_data_length(Pointer stream, long length);

  Pointer opj_create_decompress(int codec);

  void opj_set_default_decoder_parameters(Pointer parameters);

  boolean opj_setup_decoder(Pointer codec, Pointer parameters);

  boolean opj_decoder_set_strict_mode(Pointer codec, boolean strict);

  boolean opj_read_header(Pointer stream, Pointer codec, PointerByReference image);

  boolean opj_decode(Pointer codec, Pointer stream, Pointer image);

  void opj_stream_destroy(Pointer stream);

  void opj_destroy_codec(Pointer codec);

  void opj_image_destroy(Pointer image);

  /** Returns the library, or null if it is not installed. */
  static OpenJpeg library() {
    return Loaded.LIBRARY;
  }

  /** Returns the parameters with which all files are decoded. */
  static Memory parameters(OpenJpeg library) {
    Memory parameters = new Memory(PARAMETERS);
    library.opj_set_default_decoder_parameters(parameters);
    return parameters;
  }

  /** Holds the library, or null. */
  final class Loaded {
    private static final OpenJpeg LIBRARY = load();

    private Loaded() {}

    private static OpenJpeg load() {
      try {
        return Native.load(NAME, OpenJpeg.class);
      } catch (UnsatisfiedLinkError e) {
        return null; // Vips reports that libraries are missing
      }
    }
  }
}
