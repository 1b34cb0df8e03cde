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
 * Decodes images to upright 8-bit BGR pixels, with BigDL's OpenCV 4.2, or {@link TurboJpeg} where it is faster.
 *
 * <p>Grey, 16-bit and CMYK images are converted to BGR as by OpenCV's IMREAD_COLOR; a JPEG's EXIF orientation is applied; an
 * animated GIF yields its first frame (read by Java, since this OpenCV does not support GIF).
 */
public final class Decoder {
  static {
    if (!OpenCV.isOpenCVLoaded()) {
      throw new IllegalStateException("cannot load the native OpenCV library of bigdl-core");
    }
  }

  private Decoder() {}

  /**
   * Decodes an image.
   *
   * @param bytes the encoded image
   * @param header its header, from {@link ImageHeader#of}
   * @return a matrix of type CV_8UC3; the caller releases it
   * @throws ImageProblem if it can't be decoded
   */
  public static Mat decode(byte[] bytes, ImageHeader header) throws ImageProblem {
    if (header.format().equals("gif")) {
      return firstFrame(bytes);
    }
    Mat stored = header.format().equals("jpeg") ? TurboJpeg.decode(bytes, header) : null;
    return header.orientation().upright(stored == null ? withOpenCv(bytes, header) : stored);
  }

  /** Decodes without rotating: OpenCV reads the orientation only from the first APP1 segment, {@link JpegStructure} from all. */
  static Mat withOpenCv(byte[] bytes, ImageHeader header) throws ImageProblem {
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
      throw new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.DAMAGED, "GIF cannot be decoded");
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
