package dev.featx.image;

import com.sun.jna.Callback;
import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.PointerByReference;

/**
 * The functions of libheif (heif.h and heif_plugin.h of 1.15) that Featx calls, by JNA, to change how libvips decodes HEIC and AVIF.
 *
 * <p>libvips depends on this library, so that it is there wherever libvips is.
 */
interface LibHeif extends Library {
  String NAME = "libheif.so.1";
  int HEVC = 1; // heif_compression_HEVC
  int AV1 = 4; // heif_compression_AV1
  int YCBCR = 0; // heif_colorspace_YCbCr
  int HALF_BOTH = 1; // heif_chroma_420
  int HALF_WIDTH = 2; // heif_chroma_422
  int FULL = 3; // heif_chroma_444
  int LUMA = 0; // heif_channel_Y, followed by those of blue and red chroma
  int CHANNELS = 3;

  /** How a call ended: code 0 is success. */
  @FieldOrder({"code", "subcode", "message"})
  class HeifError extends Structure implements Structure.ByValue {
    private static final int MEMORY = 6; // heif_error_Memory_allocation_error
    private static final Memory NO_MESSAGE = new Memory(1);

    public int code;
    public int subcode;
    public Pointer message;

    /** Returns the error of a decoder without memory. */
    static HeifError outOfMemory() {
      NO_MESSAGE.clear();
      HeifError error = new HeifError();
      error.code = MEMORY;
      error.message = NO_MESSAGE; // libheif copies it, and those of its images end with them
      error.write();
      return error;
    }
  }

  /** Returns a plugin's priority for a compression; of all plugins the highest decodes. */
  interface Priority extends Callback {
    int of(int compression);
  }

  /** Decodes the frame whose data a decoder got, and stores the image. */
  interface DecodeImage extends Callback {
    HeifError decode(Pointer decoder, PointerByReference image);
  }

  /** A decoder of one compression. */
  @FieldOrder({"version", "name", "start", "end", "priority", "open", "close", "push", "decode", "strict", "id"})
  class DecoderPlugin extends Structure {
    static final int VERSION = 3;

    public int version;
    public Pointer name;
    public Pointer start;
    public Pointer end;
    public Priority priority;
    public Pointer open;
    public Pointer close;
    public Pointer push;
    public DecodeImage decode;
    public Pointer strict;
    public Pointer id;

    /** Creates a plugin without functions. */
    DecoderPlugin() {}

    /** Reads a plugin of the library's. */
    DecoderPlugin(Pointer plugin) {
      super(plugin);
      read();
    }
  }

  int heif_get_decoder_descriptors(int compression, Pointer[] descriptors, int count);

  Pointer heif_decoder_descriptor_get_id_name(Pointer descriptor);

  HeifError heif_register_decoder_plugin(DecoderPlugin plugin);

  int heif_image_get_chroma_format(Pointer image);

  int heif_image_get_width(Pointer image, int channel);

  int heif_image_get_height(Pointer image, int channel);

  int heif_image_get_bits_per_pixel_range(Pointer image, int channel);

  Pointer heif_image_get_plane(Pointer image, int channel, IntByReference stride);

  HeifError heif_image_create(int width, int height, int colorspace, int chroma, PointerByReference image);

  HeifError heif_image_add_plane(Pointer image, int channel, int width, int height, int bits);

  HeifError heif_image_get_nclx_color_profile(Pointer image, PointerByReference profile);

  HeifError heif_image_set_nclx_color_profile(Pointer image, Pointer profile);

  void heif_nclx_color_profile_free(Pointer profile);

  void heif_image_release(Pointer image);
}
