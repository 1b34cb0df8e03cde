package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * The first directory of a TIFF structure: that of a TIFF file's first page, or of EXIF metadata (TIFF 6.0, section 2).
 *
 * <p>Only integers are read. Of a tag that occurs twice the last counts, as for Pillow.
 */
final class TiffDirectory {
  private static final int BIG_ENDIAN = 'M' << 8 | 'M';
  private static final int LITTLE_ENDIAN = 'I' << 8 | 'I';
  private static final int MAGIC = 42;
  private static final int BIG_MAGIC = 43; // BigTIFF

  private static final int WIDTH = 256;
  private static final int HEIGHT = 257;
  private static final int BITS = 258;
  private static final Set<Integer> BIT_DEPTHS = Set.of(1, 2, 4, 8, 16, 32);
  private static final int COMPRESSION = 259;
  private static final Set<Integer> COMPRESSIONS = Set.of(1, 2, 3, 4, 5, 6, 7, 8, 32766, 32771, 32773, 32809, 32909, 32946,
      34676, 34677, 34887, 34925, 50000, 50001);
  private static final Set<Integer> JPEG_2000 = Set.of(33003, 33005, 34712); // as in pathology slides
  private static final int SAMPLE_FORMAT = 339;
  private static final int SIGNED = 2;
  private static final int OLD_JPEG = 6;
  private static final int JPEG = 7;
  private static final int PHOTOMETRIC = 262;
  private static final int YCC = 6;
  private static final int CIE_LAB = 8;
  private static final int ICC_LAB = 9;
  private static final int ITU_LAB = 10;
  private static final Set<Integer> SENSOR = Set.of(32803, 34892); // colour filter array, linear raw
  private static final Set<Integer> LOGARITHMIC = Set.of(32844, 32845); // LogL, LogLuv
  private static final int FLOATS = 3;
  private static final int VOID = 4;
  private static final int DEEPEST = 16; // bits per channel
  private static final int STRIPS = 273;
  private static final int STRIP_SIZES = 279;
  private static final int TILES = 324;
  private static final int TILE_SIZES = 325;
  private static final Set<Integer> POSITIONS = Set.of(STRIPS, STRIP_SIZES, TILES, TILE_SIZES);
  private static final int EXTRA_SAMPLES = 338;
  private static final int UNSPECIFIED = 0;
  private static final int UNASSOCIATED = 2;

  private final Map<Integer, Long> integers = new HashMap<>();
  private final Map<Integer, long[]> positions = new HashMap<>();

  private TiffDirectory() {}

  /**
   * Reads the directory.
   *
   * @param bytes contain the structure
   * @param start of the structure
   * @return null if there is none; entries after damaged ones are missing
   */
  static TiffDirectory first(byte[] bytes, int start) {
    if (bytes.length - start < 8) {
      return null;
    }
    ByteBuffer tiff = ByteBuffer.wrap(bytes, start, bytes.length - start).slice();
    int order = tiff.getShort(0);
    if (order != BIG_ENDIAN && order != LITTLE_ENDIAN) {
      return null;
    }
    tiff.order(order == BIG_ENDIAN ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
    int magic = tiff.getShort(2);
    if (magic != MAGIC && magic != BIG_MAGIC) {
      return null;
    }
    TiffDirectory directory = new TiffDirectory();
    try {
      directory.read(tiff, magic == BIG_MAGIC);
    } catch (IndexOutOfBoundsException e) {
      return directory; // a damaged directory is no reason to lose the image
    }
    return directory;
  }

  private void read(ByteBuffer tiff, boolean big) {
    int at = big ? position(tiff.getLong(8)) : position(tiff.getInt(4));
    long entries = big ? tiff.getLong(at) : tiff.getShort(at) & 0xFFFF;
    int entry = at + (big ? 8 : 2);
    for (long i = 0; i < entries; i++, entry += big ? 20 : 12) {
      int tag = tiff.getShort(entry) & 0xFFFF;
      try {
        readEntry(tiff, big, entry, tag);
      } catch (IndexOutOfBoundsException e) {
        integers.remove(tag); // its value is outside the file
      }
    }
  }

  private void readEntry(ByteBuffer tiff, boolean big, int entry, int tag) {
    int type = tiff.getShort(entry + 2) & 0xFFFF;
    long count = big ? tiff.getLong(entry + 4) : tiff.getInt(entry + 4) & 0xFFFFFFFFL;
    int value = entry + (big ? 12 : 8);
    int size = type == 6 ? 1 : type == 3 || type == 8 ? 2 : type == 16 ? 8 : 4;
    boolean inline = count <= (big ? 8 : 4) / size;
    int first = inline ? value : big ? position(tiff.getLong(value)) : position(tiff.getInt(value));
    if (count > 0) {
      integers.put(tag, integer(tiff, type, first));
    }
    if (POSITIONS.contains(tag) && count <= tiff.capacity()) {
      long[] values = new long[(int) count];
      for (int i = 0; i < values.length; i++) {
        values[i] = integer(tiff, type, first + i * size);
      }
      positions.put(tag, values);
    }
  }

  private static long integer(ByteBuffer tiff, int type, int at) {
    return switch (type) {
      case 6 -> tiff.get(at);
      case 3 -> tiff.getShort(at) & 0xFFFFL;
      case 8 -> tiff.getShort(at);
      case 4, 13 -> tiff.getInt(at) & 0xFFFFFFFFL;
      case 9 -> tiff.getInt(at);
      case 16 -> tiff.getLong(at);
      default -> 0; // Pillow compares a byte or text with an integer, and finds them different
    };
  }

  private static int position(long offset) {
    if (offset < 0 || offset > Integer.MAX_VALUE) {
      throw new IndexOutOfBoundsException();
    }
    return (int) offset;
  }

  /** Returns whether there are no entries: it may be after the end of the file. */
  boolean isEmpty() {
    return integers.isEmpty();
  }

  /** Returns the first value of a tag, 0 if it is no integer, or null without the tag. */
  Integer integer(int tag) {
    Long value = integers.get(tag);
    return value == null ? null : (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, value));
  }

  /** Returns the first value of a tag, or a default without the tag. */
  int integer(int tag, int absent) {
    Integer value = integer(tag);
    return value == null ? absent : value;
  }

  int width() {
    return integer(WIDTH, 0);
  }

  int height() {
    return integer(HEIGHT, 0);
  }

  /** Returns whether samples are signed integers, which viewers show as if they were not. */
  boolean isSigned() {
    return integer(SAMPLE_FORMAT, 1) == SIGNED;
  }

  /** Returns what is unusual about the image, such that no library decodes it, or null. */
  String unusual() {
    int bits = integer(BITS, 1);
    return !BIT_DEPTHS.contains(bits) ? "a TIFF of " + bits + " bits per channel"
        : integer(PHOTOMETRIC) == null ? "a TIFF that does not say what its channels are"
        : integer(SAMPLE_FORMAT, 1) != 1 ? "a TIFF whose samples are not whole numbers"
        : hasUnknownCompression() ? compression() : null;
  }

  /** Returns why pixels that a library decodes would show another image, mostly a black or a white one, or null. */
  String misread() {
    int photometric = integer(PHOTOMETRIC, 0);
    int bits = integer(BITS, 1);
    int kind = integer(SAMPLE_FORMAT, 1);
    return SENSOR.contains(photometric) ? "a TIFF of a camera's raw samples"
        : photometric == ICC_LAB || photometric == ITU_LAB ? "a TIFF in ICC or ITU L*a*b*"
        : photometric == CIE_LAB || LOGARITHMIC.contains(photometric) ? null
        : kind >= FLOATS && kind != VOID ? "a TIFF whose samples are not whole numbers"
        : kind == SIGNED && bits > 8 ? "a TIFF of signed numbers of " + bits + " bits"
        : bits > DEEPEST ? "a TIFF of " + bits + " bits per channel" : null;
  }

  /** Returns the compression in words. */
  String compression() {
    int compression = integer(COMPRESSION, 1);
    return "a TIFF of compression " + compression + (JPEG_2000.contains(compression) ? ", JPEG 2000" : "");
  }

  /** Returns whether the compression is one that libtiff does not know. */
  boolean hasUnknownCompression() {
    return !COMPRESSIONS.contains(integer(COMPRESSION, 1));
  }

  /** Returns whether pixels are luma and chroma that are not compressed as JPEG, whose decoder converts them. */
  boolean hasLuma() {
    return integer(PHOTOMETRIC, 0) == YCC && integer(COMPRESSION, 1) != JPEG && integer(COMPRESSION, 1) != OLD_JPEG;
  }

  /** Returns whether the channel after the colours means nothing. */
  boolean hasPadding() {
    return integer(EXTRA_SAMPLES, UNASSOCIATED) == UNSPECIFIED;
  }

  /** Returns the index after the last byte of the first page's pixels, or 0 if the directory does not say. */
  long end() {
    return Math.max(end(STRIPS, STRIP_SIZES), end(TILES, TILE_SIZES));
  }

  private long end(int offsets, int sizes) {
    long[] starts = positions.getOrDefault(offsets, new long[0]);
    long[] lengths = positions.getOrDefault(sizes, new long[0]);
    long end = 0;
    for (int i = 0; i < Math.min(starts.length, lengths.length); i++) {
      end = Math.max(end, starts[i] + lengths[i]);
    }
    return end;
  }
}
