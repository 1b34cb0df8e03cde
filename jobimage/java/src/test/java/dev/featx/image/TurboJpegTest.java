package dev.featx.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.intel.analytics.bigdl.opencv.OpenCV;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.opencv.core.Core;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.core.MatOfByte;
import org.opencv.core.MatOfInt;
import org.opencv.core.Scalar;
import org.opencv.core.Size;
import org.opencv.imgcodecs.Imgcodecs;
import org.opencv.imgproc.Imgproc;

class TurboJpegTest {
  @BeforeAll
  static void openCvIsLoaded() {
    assertTrue(OpenCV.isOpenCVLoaded());
  }

  @ParameterizedTest
  @CsvSource({"640,480,95,0", "333,517,30,0", "17,9,80,0", "1,1,80,0", "640,481,80,1", "400,401,100,1"})
  void pixelsEqualThoseOfOpenCv(int width, int height, int quality, int progressive) throws ImageProblem {
    for (int type : new int[] {CvType.CV_8UC3, CvType.CV_8UC1}) {
      byte[] bytes = jpeg(drawing(width, height, type), quality, progressive);
      ImageHeader header = ImageHeader.of(bytes);
      Mat pixels = TurboJpeg.decode(bytes, header);
      assertNotNull(pixels, "is libturbojpeg0 installed?");
      Mat difference = new Mat();
      Core.absdiff(pixels, Decoder.withOpenCv(bytes, header), difference);
      assertEquals(0, Core.countNonZero(difference.reshape(1)));
    }
  }

  @Test
  void aPartlyDamagedFileIsDecodedAsByOpenCv() throws ImageProblem {
    byte[] bytes = jpeg(drawing(640, 480, CvType.CV_8UC3), 90, 0);
    for (int at = bytes.length / 2; at < bytes.length / 2 + 40; at++) {
      bytes[at] = 0x55;
    }
    ImageHeader header = ImageHeader.of(bytes);
    Mat difference = new Mat();
    Core.absdiff(Decoder.decode(bytes, header, Decoding.DEFAULT).pixels(), Decoder.withOpenCv(bytes, header), difference);
    assertEquals(0, Core.countNonZero(difference.reshape(1)));
  }

  @Test
  void undecodableFilesAreLeftToOpenCv() throws ImageProblem {
    byte[] bytes = jpeg(drawing(64, 48, CvType.CV_8UC3), 90, 0);
    ImageHeader header = ImageHeader.of(bytes);
    assertNull(TurboJpeg.decode(bytes, new ImageHeader(ImageFormat.JPEG, 65, 48)));
    bytes[2] = 0;
    assertNull(TurboJpeg.decode(bytes, header));
  }

  private static byte[] jpeg(Mat pixels, int quality, int progressive) {
    MatOfByte encoded = new MatOfByte();
    MatOfInt parameters = new MatOfInt(Imgcodecs.IMWRITE_JPEG_QUALITY, quality, Imgcodecs.IMWRITE_JPEG_PROGRESSIVE, progressive);
    Imgcodecs.imencode(".jpg", pixels, encoded, parameters);
    return encoded.toArray();
  }

  /** Noise on coarse and fine scales: edges for chroma upsampling, and gradients. */
  private static Mat drawing(int width, int height, int type) {
    Mat coarse = new Mat(7, 5, type, Scalar.all(0));
    Mat pixels = new Mat();
    Core.randu(coarse, 0, 256);
    Imgproc.resize(coarse, pixels, new Size(width, height), 0, 0, Imgproc.INTER_CUBIC);
    Mat noise = new Mat(height, width, type);
    Core.randu(noise, 0, 60);
    Core.add(pixels, noise, pixels);
    return pixels;
  }
}
