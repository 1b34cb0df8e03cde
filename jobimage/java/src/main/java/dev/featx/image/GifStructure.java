package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.opencv.core.Mat;
import org.opencv.core.Rect;
import org.opencv.core.Scalar;

/**
 * The first frame of a GIF (GIF89a), read without decoding: libvips takes a frame whose data ends early for a whole one, and
 * leaves the canvas around an opaque frame black.
 *
 * @param width of the canvas, which the first frame may enlarge
 * @param height of the canvas
 * @param frame the first frame's place
 * @param transparent whether the first frame has a transparent colour
 * @param palette position of the frame's palette, or 0 without one
 * @param data position of the frame's pixels
 */
record GifStructure(int width, int height, Rect frame, boolean transparent, int palette, int data) {
  private static final int HEADER = 13;
  private static final int EXTENSION = 0x21;
  private static final int CONTROL = 0xF9; // extension that says whether there is a transparent colour
  private static final int FRAME = 0x2C;
  private static final int DESCRIPTOR = 10;
  private static final int LONGEST_CODE = 12;

  /** Reads a file for which {@link Signature} says that it is a GIF; returns null without a frame. */
  static GifStructure of(byte[] bytes) {
    if (bytes.length < HEADER) {
      return null;
    }
    ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int at = HEADER + palette(bytes[10]);
    boolean transparent = false;
    while (at + 3 < bytes.length && bytes[at] == EXTENSION) {
      boolean control = (bytes[at + 1] & 0xFF) == CONTROL && bytes[at + 2] > 0;
      transparent = control ? (bytes[at + 3] & 1) != 0 : transparent;
      at = afterBlocks(bytes, at + 2);
    }
    if (at + DESCRIPTOR >= bytes.length || bytes[at] != FRAME) {
      return null;
    }
    Rect frame = new Rect(data.getShort(at + 1) & 0xFFFF, data.getShort(at + 3) & 0xFFFF, data.getShort(at + 5) & 0xFFFF,
        data.getShort(at + 7) & 0xFFFF);
    int own = palette(bytes[at + 9]);
    int palette = own > 0 ? at + DESCRIPTOR : palette(bytes[10]) > 0 ? HEADER : 0;
    return new GifStructure(Math.max(data.getShort(6) & 0xFFFF, frame.x + frame.width),
        Math.max(data.getShort(8) & 0xFFFF, frame.y + frame.height), frame, transparent, palette, at + DESCRIPTOR + own);
  }

  private static int palette(byte flags) {
    return (flags & 0x80) == 0 ? 0 : 3 * (2 << (flags & 7));
  }

  private static int afterBlocks(byte[] bytes, int start) {
    int at = start;
    while (at < bytes.length && bytes[at] != 0) {
      at += 1 + (bytes[at] & 0xFF);
    }
    return at + 1;
  }

  /** Fills the canvas around an opaque frame with the first colour of its palette, as Pillow does. */
  void fill(Mat image, byte[] bytes) {
    if (transparent || palette + 3 > bytes.length) {
      return;
    }
    int[] colour = new int[3];
    for (int i = 0; i < colour.length && palette > 0; i++) {
      colour[i] = bytes[palette + i] & 0xFF;
    }
    Scalar fill = image.channels() < 3 ? new Scalar(colour[0], 255) : new Scalar(colour[0], colour[1], colour[2], 255);
    int right = frame.x + frame.width;
    int lower = frame.y + frame.height;
    for (Rect free : new Rect[] {new Rect(0, 0, image.cols(), Math.min(frame.y, image.rows())),
        new Rect(0, lower, image.cols(), image.rows() - lower), new Rect(0, 0, Math.min(frame.x, image.cols()), image.rows()),
        new Rect(right, 0, image.cols() - right, image.rows())}) {
      if (free.width > 0 && free.height > 0) {
        Mat part = image.submat(free);
        part.setTo(fill);
        part.release();
      }
    }
  }

  /** Returns whether the data (LZW) yields all pixels of the frame. */
  boolean isWhole(byte[] bytes) {
    long missing = (long) frame.width * frame.height;
    int rootBits = data < bytes.length ? bytes[data] & 0xFF : LONGEST_CODE;
    if (rootBits < 1 || rootBits >= LONGEST_CODE) {
      return missing == 0;
    }
    int clear = 1 << rootBits;
    int[] lengths = new int[1 << LONGEST_CODE]; // pixels of each code
    int next = clear + 2;
    int bits = rootBits + 1;
    int previous = 0;
    int block = 0;
    int held = 0;
    int buffer = 0;
    int at = data + 1;
    while (missing > 0) {
      while (held < bits) {
        if (block == 0) {
          block = at < bytes.length ? bytes[at++] & 0xFF : 0;
        }
        if (block == 0 || at >= bytes.length) {
          return false;
        }
        buffer |= (bytes[at++] & 0xFF) << held;
        held += 8;
        block--;
      }
      int code = buffer & (1 << bits) - 1;
      buffer >>>= bits;
      held -= bits;
      if (code == clear) {
        next = clear + 2;
        bits = rootBits + 1;
        previous = 0;
        continue;
      }
      int length = code < clear ? 1 : code < next ? lengths[code] : previous + 1;
      if (code == clear + 1 || code > next || code == next && previous == 0) {
        return false; // the end, or a code that has no meaning yet
      }
      if (previous > 0 && next < lengths.length) {
        lengths[next++] = previous + 1;
        bits += next == 1 << bits && bits < LONGEST_CODE ? 1 : 0;
      }
      missing -= length;
      previous = length;
    }
    return true;
  }
}
