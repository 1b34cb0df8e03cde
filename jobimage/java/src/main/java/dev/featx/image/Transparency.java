package dev.featx.image;

import org.opencv.core.Core;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.core.Scalar;
import org.opencv.imgproc.Imgproc;

/** Converts decoded channels to BGR: one rule for all formats. */
final class Transparency {
  private static final int OPAQUE = 255;

  /** The orders of channels that decoders yield. */
  enum Channels {
    GREY_ALPHA(0, 0, 0, 1),
    RGBA(0, 1, 2, 3),
    BGRA(2, 1, 0, 3);

    private final int red;
    private final int green;
    private final int blue;
    private final int alpha;

    Channels(int red, int green, int blue, int alpha) {
      this.red = red;
      this.green = green;
      this.blue = blue;
      this.alpha = alpha;
    }
  }

  private Transparency() {}

  /**
   * Places an image on a background.
   *
   * @param image with transparency; it is released
   * @param channels their order
   * @param premultiplied whether colours are already multiplied by alpha
   * @param background red, green and blue
   * @return CV_8UC3 as BGR
   */
  static Mat on(int[] background, Mat image, Channels channels, boolean premultiplied) {
    Mat opaque = new Mat(image.rows(), image.cols(), CvType.CV_8UC3);
    int step = image.channels();
    byte[] from = new byte[image.cols() * step];
    byte[] to = new byte[image.cols() * 3];
    for (int row = 0; row < image.rows(); row++) {
      image.get(row, 0, from);
      for (int x = 0, at = 0; x < to.length; x += 3, at += step) {
        int alpha = from[at + channels.alpha] & 0xFF;
        to[x] = blended(from[at + channels.blue] & 0xFF, alpha, background[2], premultiplied);
        to[x + 1] = blended(from[at + channels.green] & 0xFF, alpha, background[1], premultiplied);
        to[x + 2] = blended(from[at + channels.red] & 0xFF, alpha, background[0], premultiplied);
      }
      opaque.put(row, 0, to);
    }
    image.release();
    return opaque;
  }

  private static byte blended(int value, int alpha, int background, boolean premultiplied) {
    int colour = premultiplied ? value * OPAQUE : value * alpha;
    return (byte) Math.min(OPAQUE, (colour + background * (OPAQUE - alpha) + OPAQUE / 2) / OPAQUE);
  }

  /**
   * Places an image of one to four channels, grey or RGB and perhaps alpha, on a background.
   *
   * @param image it is released
   * @param background red, green and blue
   * @return CV_8UC3 as BGR
   */
  static Mat opaque(Mat image, int[] background) {
    return switch (image.channels()) {
      case 1 -> converted(image, Imgproc.COLOR_GRAY2BGR);
      case 2 -> on(background, image, Channels.GREY_ALPHA, false);
      case 3 -> converted(image, Imgproc.COLOR_RGB2BGR);
      default -> on(background, image, Channels.RGBA, false);
    };
  }

  private static Mat converted(Mat pixels, int conversion) {
    Imgproc.cvtColor(pixels, pixels, conversion);
    return pixels;
  }

  /** Divides colours by alpha, if they were multiplied by it; RGB is left as it is. */
  static void divide(Mat image) {
    if (image.channels() != 4) {
      return;
    }
    byte[] row = new byte[image.cols() * 4];
    for (int y = 0; y < image.rows(); y++) {
      image.get(y, 0, row);
      for (int x = 0; x < row.length; x += 4) {
        int alpha = Math.max(1, row[x + 3] & 0xFF);
        for (int channel = x; channel < x + 3; channel++) {
          row[channel] = (byte) Math.min(OPAQUE, ((row[channel] & 0xFF) * OPAQUE + alpha / 2) / alpha);
        }
      }
      image.put(y, 0, row);
    }
  }

  /** Expands colours, not alpha, from the limited range of video, 16 to 235, to the full range. */
  static void expand(Mat image) {
    double scale = OPAQUE / 219.0;
    Core.subtract(image, new Scalar(16, 16, 16, 0), image);
    Core.multiply(image, new Scalar(scale, scale, scale, 1), image);
  }

  /**
   * Converts luma and chroma of full range (JFIF) that the decoder left as they are.
   *
   * @param image luma, blue and red chroma; it is released
   * @return CV_8UC3 as BGR
   */
  static Mat fromYcc(Mat image) {
    Mat converted = new Mat(image.rows(), image.cols(), CvType.CV_8UC3);
    byte[] row = new byte[image.cols() * 3];
    for (int y = 0; y < image.rows(); y++) {
      image.get(y, 0, row);
      for (int x = 0; x < row.length; x += 3) {
        int luma = row[x] & 0xFF;
        int blue = (row[x + 1] & 0xFF) - 128;
        int red = (row[x + 2] & 0xFF) - 128;
        row[x] = clipped(luma + 1.772 * blue);
        row[x + 1] = clipped(luma - 0.344136 * blue - 0.714136 * red);
        row[x + 2] = clipped(luma + 1.402 * red);
      }
      converted.put(y, 0, row);
    }
    image.release();
    return converted;
  }

  private static byte clipped(double value) {
    return (byte) Math.max(0, Math.min(OPAQUE, Math.round(value)));
  }

  /**
   * Converts ink to light by the plain formula, without a profile, as Pillow does.
   *
   * @param image cyan, magenta, yellow and black, 255 for full ink; it is released
   * @return CV_8UC3 as BGR
   */
  static Mat fromCmyk(Mat image) {
    Mat converted = new Mat(image.rows(), image.cols(), CvType.CV_8UC3);
    byte[] from = new byte[image.cols() * 4];
    byte[] to = new byte[image.cols() * 3];
    for (int row = 0; row < image.rows(); row++) {
      image.get(row, 0, from);
      for (int x = 0, at = 0; x < to.length; x += 3, at += 4) {
        int light = OPAQUE - (from[at + 3] & 0xFF);
        for (int channel = 0; channel < 3; channel++) {
          int ink = (from[at + 2 - channel] & 0xFF) * light;
          to[x + channel] = (byte) (light - (ink + OPAQUE / 2) / OPAQUE);
        }
      }
      converted.put(row, 0, to);
    }
    image.release();
    return converted;
  }
}
