package dev.featx.image;

import com.intel.analytics.bigdl.opencv.OpenCV;
import dev.featx.failure.QuarantineReason;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferByte;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import javax.imageio.ImageIO;
import org.opencv.core.CvException;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.imgcodecs.Imgcodecs;

/**
 * Encoded bytes to upright 8-bit BGR pixels, by the OpenCV 4.2 that BigDL carries, and {@link TurboJpeg} where it is quicker.
 *
 * <p>Grey, 16-bit and CMYK images become BGR as OpenCV's IMREAD_COLOR makes them; a JPEG's EXIF orientation is applied; of
 * an animated GIF the first frame is taken (this OpenCV reads no GIF, Java does).
 */
public final class Decoder {
  static {
    if (!OpenCV.isOpenCVLoaded()) {
      throw new IllegalStateException("the native OpenCV of bigdl-core can't be loaded");
    }
  }

  private Decoder() {}

  /**
   * Decodes an image.
   *
   * @param bytes the encoded image
   * @param header what {@link ImageHeader#of} read of it
   * @return a matrix of type CV_8UC3; the caller releases it
   * @throws ImageProblem if it can't be decoded
   */
  public static Mat decode(byte[] bytes, ImageHeader header) throws ImageProblem {
    if (header.format().equals("gif")) {
      return firstFrame(bytes);
    }
    Mat stored = header.format().equals("jpeg") ? TurboJpeg.decode(bytes, header) : null;
    return header.orientation().upright(stored == null ? byOpenCv(bytes, header) : stored);
  }

  /** Returns what is stored: OpenCV finds the orientation only in a file's first APP1 segment, {@link JpegStructure} in all. */
  static Mat byOpenCv(byte[] bytes, ImageHeader header) throws ImageProblem {
    Mat encoded = new Mat(1, bytes.length, CvType.CV_8UC1);
    try {
      encoded.put(0, 0, bytes);
      Mat image = Imgcodecs.imdecode(encoded, Imgcodecs.IMREAD_COLOR | Imgcodecs.IMREAD_IGNORE_ORIENTATION);
      if (image.empty()) {
        throw damaged(header, "OpenCV cannot decode it");
      }
      return image;
    } catch (CvException e) {
      throw damaged(header, e.getMessage());
    } finally {
      encoded.release();
    }
  }

  private static Mat firstFrame(byte[] bytes) throws ImageProblem {
    BufferedImage frame;
    try {
      frame = ImageIO.read(new ByteArrayInputStream(bytes));
    } catch (IOException | RuntimeException e) {
      throw new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.DAMAGED, "GIF cannot be decoded: " + e.getMessage());
    }
    BufferedImage opaque = new BufferedImage(frame.getWidth(), frame.getHeight(), BufferedImage.TYPE_3BYTE_BGR);
    Graphics2D graphics = opaque.createGraphics();
    graphics.drawImage(frame, 0, 0, Color.WHITE, null);
    graphics.dispose();
    Mat image = new Mat(frame.getHeight(), frame.getWidth(), CvType.CV_8UC3);
    image.put(0, 0, ((DataBufferByte) opaque.getRaster().getDataBuffer()).getData());
    return image;
  }

  private static ImageProblem damaged(ImageHeader header, String why) {
    String message = header.format() + " of " + header.width() + "x" + header.height() + " pixels: " + why;
    return new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.DAMAGED, message);
  }
}
