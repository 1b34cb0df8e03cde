package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.opencv.core.Mat;
import org.opencv.core.Rect;
import org.opencv.core.Scalar;

/** The part of an opaque GIF's canvas that its first frame leaves free: libvips leaves it black, Pillow fills it (GIF89a, 18). */
final class GifCanvas {
  private static final int HEADER = 13;
  private static final int EXTENSION = 0x21;
  private static final int FRAME = 0x2C;

  private GifCanvas() {}

  /**
   * Fills the canvas around the first frame with the file's background colour, if it has one.
   *
   * @param image RGB
   * @param bytes the file
   */
  static void fill(Mat image, byte[] bytes) {
    int colours = (bytes[10] & 0x80) == 0 ? 0 : 2 << (bytes[10] & 7);
    Rect frame = firstFrame(bytes, HEADER + 3 * colours);
    int colour = HEADER + 3 * (bytes[11] & 0xFF);
    if (frame == null || (bytes[11] & 0xFF) >= colours || colour + 3 > bytes.length) {
      return;
    }
    Scalar fill = new Scalar(bytes[colour] & 0xFF, bytes[colour + 1] & 0xFF, bytes[colour + 2] & 0xFF);
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

  private static Rect firstFrame(byte[] bytes, int start) {
    ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int at = start;
    while (at + 9 < bytes.length && bytes[at] == EXTENSION) {
      at += 2;
      while (at < bytes.length && bytes[at] != 0) {
        at += 1 + (bytes[at] & 0xFF);
      }
      at++;
    }
    return at + 9 > bytes.length || bytes[at] != FRAME ? null
        : new Rect(data.getShort(at + 1) & 0xFFFF, data.getShort(at + 3) & 0xFFFF, data.getShort(at + 5) & 0xFFFF,
            data.getShort(at + 7) & 0xFFFF);
  }
}
