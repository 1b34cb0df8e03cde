package dev.featx.image;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.opencv.core.CvType;
import org.opencv.core.Mat;

/**
 * Decodes JPEG 2000 (ISO/IEC 15444-1) with {@link OpenJpeg}, which applies palettes and the order of channels.
 *
 * <p>The size is read from the codestream before the library sees the file: the library allocates by it.
 */
final class Jpeg2000 implements AutoCloseable {
  private static final byte[] SIZE = "\u00FF\u004F\u00FF\u0051".getBytes(StandardCharsets.ISO_8859_1);
  private static final int SIZE_LENGTH = 42; // from the start of the codestream to its components
  private static final long MOST_TILES = 1 << 14;
  private static final int MOST_CHANNELS = 4;
  private static final int GREY = 2; // OPJ_CLRSPC_GRAY
  private static final int SYCC = 3; // OPJ_CLRSPC_SYCC
  private static final int CMYK = 5; // OPJ_CLRSPC_CMYK
  private static final int COMPONENT = 64; // bytes of opj_image_comp_t

  private final OpenJpeg library;
  private final byte[] bytes;
  private final Memory parameters;
  private final Pointer codec;
  private final Pointer stream;
  // The library calls these while it reads, so they must not be collected.
  private final OpenJpeg.Read read = this::read;
  private final OpenJpeg.Skip skip = this::skip;
  private final OpenJpeg.Seek seek = this::seek;
  private long position;
  private Pointer image;

  private Jpeg2000(OpenJpeg library, byte[] bytes) {
    this.library = library;
    this.bytes = bytes;
    codec = library.opj_create_decompress(Signature.startsWith(bytes, 0, SIZE) ? OpenJpeg.STREAM : OpenJpeg.FILE);
    parameters = OpenJpeg.parameters(library);
    stream = library.opj_stream_create(Math.min(OpenJpeg.CHUNK, Math.max(1, bytes.length)), true);
    library.opj_stream_set_read_function(stream, read);
    library.opj_stream_set_skip_function(stream, skip);
    library.opj_stream_set_seek_function(stream, seek);
    library.opj_stream_set_user_data_length(stream, bytes.length);
  }

  /** Reads the header, without the library. */
  static ImageHeader header(byte[] bytes) throws ImageProblem {
    ImageHeader.vips(ImageFormat.JPEG_2000);
    if (OpenJpeg.library() == null) {
      throw ImageHeader.unsupported("JPEG 2000, which requires " + OpenJpeg.NAME + ": install " + Vips.PACKAGE);
    }
    int at = codestream(bytes);
    if (at < 0 || at + SIZE_LENGTH > bytes.length) {
      throw Truncation.isCut(bytes, ImageFormat.JPEG_2000) ? ImageHeader.truncated(bytes)
          : ImageHeader.damagedHeader(ImageFormat.JPEG_2000);
    }
    ByteBuffer data = ByteBuffer.wrap(bytes, at, SIZE_LENGTH).slice();
    long width = unsigned(data, 8) - unsigned(data, 16);
    long height = unsigned(data, 12) - unsigned(data, 20);
    long tiles = tiles(unsigned(data, 8), unsigned(data, 32), unsigned(data, 24))
        * tiles(unsigned(data, 12), unsigned(data, 36), unsigned(data, 28));
    if (width <= 0 || height <= 0 || width > Integer.MAX_VALUE || height > Integer.MAX_VALUE || tiles < 0) {
      throw ImageHeader.damagedHeader(ImageFormat.JPEG_2000);
    }
    int channels = data.getShort(40) & 0xFFFF;
    if (channels > MOST_CHANNELS) {
      throw ImageHeader.unsupported("JPEG 2000 of " + channels + " channels");
    }
    if (tiles > MOST_TILES) {
      throw ImageHeader.unsupported("a JPEG 2000 of " + tiles + " tiles"); // the library allocates all of them at once
    }
    return new ImageHeader(ImageFormat.JPEG_2000, (int) width, (int) height);
  }

  private static long tiles(long end, long start, long size) {
    return size == 0 ? -1 : Math.max(0, end - start + size - 1) / size;
  }

  private static long unsigned(ByteBuffer data, int at) {
    return data.getInt(at) & 0xFFFFFFFFL;
  }

  /** Returns the position of the codestream, in the first box that holds one, or -1. */
  private static int codestream(byte[] bytes) {
    if (Signature.startsWith(bytes, 0, SIZE)) {
      return 0;
    }
    ByteBuffer data = ByteBuffer.wrap(bytes);
    long at = 0;
    while (at + 16 <= bytes.length) {
      long length = unsigned(data, (int) at);
      int header = length == 1 ? 16 : 8;
      if (Signature.startsWith(bytes, (int) at + 4, "jp2c")) {
        return Signature.startsWith(bytes, (int) at + header, SIZE) ? (int) at + header : -1;
      }
      length = length == 1 ? data.getLong((int) at + 8) : length;
      if (length < header) {
        return -1;
      }
      at += length;
    }
    return -1;
  }

  /**
   * Decodes an image.
   *
   * @return CV_8UC3 as BGR; the caller releases it
   */
  static Mat decode(byte[] bytes, ImageHeader header, Decoding decoding) throws ImageProblem {
    try (Jpeg2000 file = new Jpeg2000(OpenJpeg.library(), bytes)) {
      if (!file.read()) {
        throw Truncation.isCut(bytes, ImageFormat.JPEG_2000) ? ImageHeader.truncated(bytes) : Decoder.damaged(header);
      }
      return file.pixels(header, decoding);
    }
  }

  private boolean read() {
    PointerByReference opened = new PointerByReference();
    boolean whole = library.opj_setup_decoder(codec, parameters);
    library.opj_decoder_set_strict_mode(codec, true);
    whole = whole && library.opj_read_header(stream, codec, opened);
    image = opened.getValue();
    return whole && library.opj_decode(codec, stream, image);
  }

  private Mat pixels(ImageHeader header, Decoding decoding) throws ImageProblem {
    int count = image.getInt(16);
    int space = image.getInt(20);
    if (count > MOST_CHANNELS) {
      throw ImageHeader.unsupported("JPEG 2000 of " + count + " channels");
    }
    Pointer components = image.getPointer(24);
    Channel[] channels = new Channel[count];
    for (int i = 0; i < count; i++) {
      channels[i] = Channel.of(components.share((long) i * COMPONENT), header);
      if (channels[i] == null) {
        throw Decoder.damaged(header);
      }
    }
    boolean subsampled = count >= 3 && channels[0].columns == 1 && channels[1].columns > 1;
    Mat pixels = new Mat(header.height(), header.width(), CvType.CV_8UC(count));
    byte[] row = new byte[header.width() * count];
    for (int y = 0; y < header.height(); y++) {
      for (int i = 0; i < count; i++) {
        channels[i].read(y, row, i, count);
      }
      pixels.put(y, 0, row);
    }
    if (count == MOST_CHANNELS && space == CMYK) {
      return Transparency.fromCmyk(pixels);
    }
    boolean luma = count == 3 && (space == SYCC || subsampled && space != GREY);
    if (luma) {
      return Transparency.fromYcc(pixels);
    }
    int length = image.getInt(40);
    IccProfile.toSrgb(pixels, length > 0 ? image.getPointer(32).getByteArray(0, length) : null, false);
    return Transparency.opaque(pixels, decoding.background());
  }

  /** A channel as the library decodes it: an integer per sample. */
  private record Channel(Pointer samples, int width, int height, int columns, int rows, int precision, boolean signed, int[] line) {
    static Channel of(Pointer component, ImageHeader header) {
      Pointer samples = component.getPointer(48);
      int columns = component.getInt(0);
      int rows = component.getInt(4);
      int width = component.getInt(8);
      int height = component.getInt(12);
      int precision = component.getInt(24);
      boolean usable = samples != null && columns > 0 && rows > 0 && width > 0 && height > 0 && precision > 0 && precision <= 31
          && ((long) width + 1) * columns >= header.width() && ((long) height + 1) * rows >= header.height();
      boolean signed = component.getInt(32) != 0;
      return usable ? new Channel(samples, width, height, columns, rows, precision, signed, new int[width]) : null;
    }

    void read(int y, byte[] row, int channel, int count) {
      int stored = Math.min(y / rows, height - 1);
      if (y % rows == 0 || y == 0) {
        samples.read((long) stored * width * Integer.BYTES, line, 0, width);
      }
      int offset = signed ? 1 << precision - 1 : 0;
      int largest = (1 << precision) - 1;
      for (int x = 0, at = channel; at < row.length; x++, at += count) {
        int value = Math.max(0, Math.min(largest, line[Math.min(x / columns, width - 1)] + offset));
        row[at] = (byte) (precision >= 8 ? value >> precision - 8 : value << 8 - precision);
      }
    }
  }

  private long read(Pointer buffer, long size, Pointer data) {
    int count = (int) Math.min(size, bytes.length - position);
    if (count <= 0) {
      return -1;
    }
    buffer.write(0, bytes, (int) position, count);
    position += count;
    return count;
  }

  private long skip(long size, Pointer data) {
    if (size < 0 || position >= bytes.length) {
      return -1;
    }
    long count = Math.min(size, bytes.length - position);
    position += count;
    return count;
  }

  private boolean seek(long target, Pointer data) {
    boolean inside = target >= 0 && target <= bytes.length;
    position = inside ? target : position;
    return inside;
  }

  @Override
  public void close() {
    library.opj_stream_destroy(stream);
    library.opj_destroy_codec(codec);
    if (image != null) {
      library.opj_image_destroy(image);
    }
    parameters.close();
  }
}
