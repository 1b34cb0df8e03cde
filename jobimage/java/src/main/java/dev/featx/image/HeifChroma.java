package dev.featx.image;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.PointerByReference;
import dev.featx.image.LibHeif.DecoderPlugin;
import dev.featx.image.LibHeif.HeifError;
import java.util.List;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.core.Rect;
import org.opencv.core.Size;
import org.opencv.imgproc.Imgproc;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Interpolates the chroma of HEIC and AVIF, as viewers and Pillow do: libheif 1.15 repeats each sample, and has no setting for that.
 *
 * <p>When libheif converts colours, it is too late: asked for luma and chroma, it returns those of the RGB image that it made.
 * So each of its decoders gets a twin that ranks above it: it has the frame decoded by the original, and hands on the chroma at
 * full resolution. Whatever follows is left to libheif and libvips: colours, transparency, grids, turning and cropping.
 */
final class HeifChroma {
  private static final Logger LOG = LoggerFactory.getLogger(HeifChroma.class);
  private static final int RANK = 1000; // libheif's own are at most 150
  private static final int EIGHT_BITS = 8;
  private static final HeifError OUT_OF_MEMORY = HeifError.outOfMemory();

  private final LibHeif library;
  private final DecoderPlugin original;
  private final DecoderPlugin twin = new DecoderPlugin(); // with its functions, which must not be collected

  private HeifChroma(LibHeif library, DecoderPlugin original, int compression) {
    this.library = library;
    this.original = original;
    twin.version = original.version;
    twin.name = original.name;
    twin.priority = asked -> asked == compression ? RANK : 0;
    twin.open = original.open;
    twin.close = original.close;
    twin.push = original.push;
    twin.decode = this::decode;
    twin.strict = original.strict;
    twin.id = original.id;
  }

  /** Holds what was installed, so that it lives as long as the library, or nothing. */
  private static final class Installed {
    private static final List<HeifChroma> DECODERS = install();

    private Installed() {}

    private static List<HeifChroma> install() {
      try {
        LibHeif library = Native.load(LibHeif.NAME, LibHeif.class);
        return List.of(installed(library, LibHeif.HEVC), installed(library, LibHeif.AV1));
      } catch (UnsatisfiedLinkError | IllegalStateException e) {
        LOG.warn("{} is not one that Featx knows ({}); chroma of AVIF and HEIC is not interpolated", LibHeif.NAME, e.getMessage());
        return List.of();
      }
    }

    private static HeifChroma installed(LibHeif library, int compression) {
      HeifChroma decoder = new HeifChroma(library, original(library, compression), compression);
      if (library.heif_register_decoder_plugin(decoder.twin).code != 0) {
        throw new IllegalStateException("it refuses a decoder");
      }
      return decoder;
    }

    /** Returns the decoder that libheif would use. What it calls a descriptor is the decoder itself; its name proves that. */
    private static DecoderPlugin original(LibHeif library, int compression) {
      Pointer[] descriptors = new Pointer[1];
      if (library.heif_get_decoder_descriptors(compression, descriptors, 1) < 1) {
        throw new IllegalStateException("it has no decoder");
      }
      Pointer id = library.heif_decoder_descriptor_get_id_name(descriptors[0]);
      int version = descriptors[0].getInt(0);
      DecoderPlugin plugin = id == null || version != DecoderPlugin.VERSION ? null : new DecoderPlugin(descriptors[0]);
      if (plugin == null || !id.equals(plugin.id)) {
        throw new IllegalStateException("its decoders are of version " + version);
      }
      return plugin;
    }
  }

  /** Makes libheif interpolate from now on; must be called before an image is decoded. Returns whether it will. */
  static boolean install() {
    return !Installed.DECODERS.isEmpty();
  }

  private HeifError decode(Pointer decoder, PointerByReference result) {
    PointerByReference decoded = new PointerByReference();
    HeifError error = original.decode.decode(decoder, decoded);
    Pointer stored = decoded.getValue();
    if (error.code != 0) {
      return error;
    }
    if (stored == null || !isHalved(stored)) {
      result.setValue(stored);
      return error;
    }
    try {
      Pointer full = interpolated(stored);
      result.setValue(full);
      return full == null ? OUT_OF_MEMORY : error;
    } finally {
      library.heif_image_release(stored);
    }
  }

  /** Returns whether chroma has half the columns of luma, and perhaps half the rows. */
  private boolean isHalved(Pointer image) {
    int chroma = library.heif_image_get_chroma_format(image);
    int rows = library.heif_image_get_height(image, LibHeif.LUMA);
    int halfOfRows = chroma == LibHeif.HALF_BOTH ? (rows + 1) / 2 : rows;
    int halfOfColumns = (library.heif_image_get_width(image, LibHeif.LUMA) + 1) / 2;
    boolean halved = chroma == LibHeif.HALF_BOTH || chroma == LibHeif.HALF_WIDTH;
    for (int channel = LibHeif.LUMA + 1; halved && channel < LibHeif.CHANNELS; channel++) {
      halved = library.heif_image_get_width(image, channel) == halfOfColumns
          && library.heif_image_get_height(image, channel) == halfOfRows;
    }
    return halved;
  }

  /** Returns the image with its chroma at full resolution, or null if there is no memory for it. */
  private Pointer interpolated(Pointer stored) {
    int columns = library.heif_image_get_width(stored, LibHeif.LUMA);
    int rows = library.heif_image_get_height(stored, LibHeif.LUMA);
    PointerByReference created = new PointerByReference();
    library.heif_image_create(columns, rows, LibHeif.YCBCR, LibHeif.FULL, created);
    Pointer full = created.getValue();
    boolean whole = false;
    try {
      for (int channel = LibHeif.LUMA; channel < LibHeif.CHANNELS; channel++) {
        int bits = library.heif_image_get_bits_per_pixel_range(stored, channel);
        if (full == null || library.heif_image_add_plane(full, channel, columns, rows, bits).code != 0) {
          return null;
        }
        resize(plane(stored, channel), plane(full, channel));
      }
      copyColours(stored, full);
      whole = true;
      return full;
    } finally {
      if (!whole) {
        library.heif_image_release(full);
      }
    }
  }

  /** Returns a plane as a matrix that shares its memory. */
  private Mat plane(Pointer image, int channel) {
    IntByReference stride = new IntByReference();
    Pointer pixels = library.heif_image_get_plane(image, channel, stride);
    int columns = library.heif_image_get_width(image, channel);
    int rows = library.heif_image_get_height(image, channel);
    int type = library.heif_image_get_bits_per_pixel_range(image, channel) > EIGHT_BITS ? CvType.CV_16UC1 : CvType.CV_8UC1;
    return new Mat(rows, columns, type, pixels.getByteBuffer(0, (long) stride.getValue() * rows), stride.getValue());
  }

  /** Fills a plane: a sample of chroma lies amid those of luma to which it belongs, as in JPEG, so that its weight is 3/4 or 1/4. */
  private static void resize(Mat from, Mat to) {
    int acrossColumns = from.cols() < to.cols() ? 2 : 1;
    int acrossRows = from.rows() < to.rows() ? 2 : 1;
    Mat even = new Mat();
    if (acrossColumns * acrossRows == 1) {
      from.copyTo(to);
    } else if (acrossColumns * from.cols() == to.cols() && acrossRows * from.rows() == to.rows()) {
      Imgproc.resize(from, to, to.size(), 0, 0, Imgproc.INTER_LINEAR_EXACT);
    } else {
      Size size = new Size(acrossColumns * from.cols(), acrossRows * from.rows());
      Imgproc.resize(from, even, size, 0, 0, Imgproc.INTER_LINEAR_EXACT);
      Mat part = even.submat(new Rect(0, 0, to.cols(), to.rows()));
      part.copyTo(to);
      part.release();
    }
    even.release();
    from.release();
    to.release();
  }

  /** Copies the matrix and the range of the image's colours. */
  private void copyColours(Pointer from, Pointer to) {
    PointerByReference profile = new PointerByReference();
    if (library.heif_image_get_nclx_color_profile(from, profile).code == 0) {
      library.heif_image_set_nclx_color_profile(to, profile.getValue());
    }
    if (profile.getValue() != null) {
      library.heif_nclx_color_profile_free(profile.getValue());
    }
  }
}
