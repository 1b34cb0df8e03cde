package dev.featx.image;

import dev.featx.image.BmpHeader.Compression;
import dev.featx.image.Transparency.Channels;
import java.util.Arrays;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.imgproc.Imgproc;

/**
 * Decodes BMP as Pillow does: BigDL's OpenCV reads neither palettes nor masks as they are in the wild.
 *
 * <p>Of 32 bits the fourth byte is alpha only if a mask says so. Pixels that runs skip have the first colour.
 */
final class BmpDecoder {
  private static final int END_OF_ROW = 0;
  private static final int END = 1;
  private static final int DELTA = 2;
  private static final int OPAQUE = 255;

  private final byte[] bytes;
  private final BmpHeader header;
  private boolean visible; // any pixel

  private BmpDecoder(byte[] bytes, BmpHeader header) {
    this.bytes = bytes;
    this.header = header;
  }

  static DecodedImage decode(byte[] bytes, ImageHeader image, Decoding decoding) throws ImageProblem {
    BmpHeader header = BmpHeader.of(bytes);
    if (header.compression() == Compression.UNKNOWN) {
      throw ImageHeader.unsupported("a BMP of " + header.bits() + " bits per pixel with an unusual compression");
    }
    boolean runs = header.compression() == Compression.RUNS;
    if (header.fileSize() > bytes.length && !decoding.keepDamaged()) {
      throw ImageHeader.truncated(bytes);
    }
    BmpDecoder decoder = new BmpDecoder(bytes, header);
    Mat pixels = new Mat(header.height(), header.width(), header.masks()[3] == 0 ? CvType.CV_8UC3 : CvType.CV_8UC4);
    boolean whole = runs ? decoder.runs(pixels) : decoder.rows(pixels);
    if (!whole && !decoding.keepDamaged()) {
      pixels.release();
      throw ImageHeader.truncated(bytes);
    }
    return new DecodedImage(header.masks()[3] == 0 ? pixels : decoder.visible ? Transparency.on(decoding.background(), pixels,
        Channels.BGRA, false) : opaque(pixels), !whole);
  }

  /** Some writers reserve alpha and leave it zero: viewers show such an image. */
  private static Mat opaque(Mat pixels) {
    Imgproc.cvtColor(pixels, pixels, Imgproc.COLOR_BGRA2BGR);
    return pixels;
  }

  /** Decodes rows of a fixed size; missing ones are zeros. */
  private boolean rows(Mat pixels) {
    byte[] stored = new byte[(int) header.rowSize()];
    byte[] row = new byte[pixels.channels() * header.width()];
    for (int y = 0; y < header.height(); y++) {
      long at = header.offset() + header.rowSize() * (header.topDown() ? y : header.height() - 1 - y);
      int available = (int) Math.max(0, Math.min(stored.length, bytes.length - at));
      Arrays.fill(stored, available, stored.length, (byte) 0);
      if (available > 0) {
        System.arraycopy(bytes, (int) at, stored, 0, available);
      }
      if (header.bits() <= 8) {
        indexed(stored, row);
      } else if (header.bits() == 24) {
        System.arraycopy(stored, 0, row, 0, row.length);
      } else {
        masked(stored, row, pixels.channels());
      }
      pixels.put(y, 0, row);
    }
    return header.fileSize() <= bytes.length;
  }

  private void indexed(byte[] stored, byte[] row) {
    int bits = header.bits();
    for (int x = 0; x < header.width(); x++) {
      int bit = x * bits;
      int index = (stored[bit >> 3] & 0xFF) >> (8 - bits - (bit & 7)) & (1 << bits) - 1;
      System.arraycopy(header.palette()[index], 0, row, 3 * x, 3);
    }
  }

  private void masked(byte[] stored, byte[] row, int channels) {
    int size = header.bits() / 8;
    int[] masks = header.masks();
    for (int x = 0; x < header.width(); x++) {
      int pixel = 0;
      for (int i = 0; i < size; i++) {
        pixel |= (stored[x * size + i] & 0xFF) << 8 * i;
      }
      for (int channel = 0; channel < channels; channel++) {
        visible |= channel == 3 && (pixel & masks[3]) != 0;
        row[x * channels + channel] = sample(pixel, masks[channel == 3 ? 3 : 2 - channel]);
      }
    }
  }

  /** Scales the value of a mask to eight bits. */
  private static byte sample(int pixel, int mask) {
    if (mask == 0) {
      return 0;
    }
    int shift = Integer.numberOfTrailingZeros(mask);
    long largest = (mask & 0xFFFFFFFFL) >>> shift;
    long value = ((pixel & mask) & 0xFFFFFFFFL) >>> shift;
    return (byte) (largest == OPAQUE ? value : value * OPAQUE / largest);
  }

  /** Decodes runs of pixels, and returns whether all rows are there. What exceeds a row is left out. */
  private boolean runs(Mat pixels) {
    int unit = header.bits() == 24 ? 3 : 1;
    byte[] row = blank();
    int at = header.offset();
    int x = 0;
    int y = 0;
    boolean ended = false;
    while (!ended && y < header.height() && at >= 0 && at + 1 < bytes.length) {
      int count = bytes[at] & 0xFF;
      int value = bytes[at + 1] & 0xFF;
      if (count > 0) {
        for (int i = 0; i < count; i++) {
          set(row, x++, at + 1, i, true);
        }
        at += 1 + unit;
      } else if (value > DELTA) {
        for (int i = 0; i < value; i++) {
          set(row, x++, at + 2, i, false);
        }
        int length = header.bits() == 4 ? (value + 1) / 2 : value * unit;
        at += 2 + length + length % 2;
      } else {
        ended = value == END;
        boolean delta = value == DELTA && at + 3 < bytes.length;
        x = delta ? x + (bytes[at + 2] & 0xFF) : 0;
        for (int rows = ended || value == END_OF_ROW ? 1 : delta ? bytes[at + 3] & 0xFF : header.height(); rows > 0; rows--) {
          put(pixels, row, y++);
          row = blank();
        }
        at += delta ? 4 : 2;
      }
    }
    boolean whole = ended || y >= header.height() || y == header.height() - 1 && x >= header.width();
    for (; y < header.height(); y++) {
      put(pixels, row, y);
      row = blank();
    }
    return whole;
  }

  /** Sets a pixel of a run, of which all have one value, or (with four bits) two in turn, or of a literal sequence. */
  private void set(byte[] row, int x, int at, int i, boolean run) {
    int index = header.bits() == 24 ? at + (run ? 0 : 3 * i) : header.bits() == 4 && !run ? at + i / 2 : at + (run ? 0 : i);
    if (x >= header.width() || index + (header.bits() == 24 ? 2 : 0) >= bytes.length) {
      return;
    }
    int value = bytes[index] & 0xFF;
    switch (header.bits()) {
      case 24 -> System.arraycopy(bytes, index, row, 3 * x, 3);
      case 4 -> System.arraycopy(header.palette()[i % 2 == 0 ? value >> 4 : value & 0xF], 0, row, 3 * x, 3);
      default -> System.arraycopy(header.palette()[value], 0, row, 3 * x, 3);
    }
  }

  private byte[] blank() {
    byte[] row = new byte[3 * header.width()];
    for (int x = 0; x < header.width() && header.palette().length > 0; x++) {
      System.arraycopy(header.palette()[0], 0, row, 3 * x, 3);
    }
    return row;
  }

  private void put(Mat pixels, byte[] row, int y) {
    if (y < header.height()) {
      pixels.put(header.topDown() ? y : header.height() - 1 - y, 0, row);
    }
  }
}
