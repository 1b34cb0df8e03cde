package dev.featx.image;

import com.intel.analytics.bigdl.opencv.OpenCV;
import dev.featx.failure.QuarantineReason;
import dev.featx.image.Transparency.Channels;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.opencv.core.CvException;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.imgcodecs.Imgcodecs;
import org.opencv.imgproc.Imgproc;

/**
 * Decodes images to upright 8-bit BGR pixels: JPEG with {@link TurboJpeg}, BMP with BigDL's OpenCV, all others with libvips.
 *
 * <p>The reference is Pillow: grey, palette, 16-bit and CMYK images become RGB, transparent pixels show the background, and of
 * several frames or pages the first is decoded. ICC profiles are ignored (docs/formats.md says why).
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
   * @param decoding the run's settings
   * @throws ImageProblem if it can't be decoded, or only in part and damaged images are not kept
   */
  public static DecodedImage decode(byte[] bytes, ImageHeader header, Decoding decoding) throws ImageProblem {
    DecodedImage stored = switch (header.format()) {
      case JPEG -> JpegDecoder.decode(bytes, header, decoding);
      case BMP -> bitmap(bytes, header, decoding);
      case PNG -> portable(bytes, header, decoding);
      case GIF, WEBP, TIFF, AVIF, HEIC, JPEG_2000 -> withVips(bytes, header, decoding, true);
    };
    return new DecodedImage(header.orientation().upright(stored.pixels()), stored.damaged());
  }

  private static DecodedImage portable(byte[] bytes, ImageHeader header, Decoding decoding) throws ImageProblem {
    PngStructure structure = PngStructure.of(bytes);
    if (Vips.library() == null && !structure.transparent()) {
      return new DecodedImage(withOpenCv(structure.decodable(), header), false);
    }
    return withVips(structure.decodable(), header, decoding, structure.complete());
  }

  /** Decodes as far as possible if the whole image cannot be decoded and damaged ones are kept. */
  private static DecodedImage withVips(byte[] bytes, ImageHeader header, Decoding decoding, boolean complete) throws ImageProblem {
    Vips vips = ImageHeader.vips(header.format());
    try {
      return new DecodedImage(pixels(vips, bytes, header, decoding, false), false);
    } catch (VipsImage.VipsException e) {
      ImageProblem problem = complete && !Truncation.isCut(bytes, header.format()) ? damaged(header) : ImageHeader.truncated(bytes);
      if (!decoding.keepDamaged()) {
        throw problem;
      }
      try {
        return new DecodedImage(pixels(vips, Truncation.padded(bytes, header.format()), header, decoding, true), true);
      } catch (VipsImage.VipsException nothingDecoded) {
        throw problem;
      }
    }
  }

  private static Mat pixels(Vips vips, byte[] bytes, ImageHeader header, Decoding decoding, boolean lenient)
      throws VipsImage.VipsException {
    try (VipsImage image = VipsImage.open(vips, bytes, header.format(), lenient)) {
      if (image.hasTooManyBands() || (long) image.width() * image.height() != header.pixels()) {
        throw new VipsImage.VipsException();
      }
      Mat pixels = image.pixels();
      if (image.isCmyk()) {
        return Transparency.fromCmyk(pixels);
      }
      if (header.format() == ImageFormat.GIF && pixels.channels() == 3) {
        GifCanvas.fill(pixels, bytes);
      }
      boolean premultiplied = header.format() == ImageFormat.TIFF && TiffDirectory.first(bytes, 0).hasPremultipliedAlpha();
      return switch (pixels.channels()) {
        case 1 -> converted(pixels, Imgproc.COLOR_GRAY2BGR);
        case 2 -> Transparency.on(decoding.background(), pixels, Channels.GREY_ALPHA, premultiplied);
        case 3 -> hasLuma(header, bytes) ? Transparency.fromYcc(pixels) : converted(pixels, Imgproc.COLOR_RGB2BGR);
        default -> isPadded(header, bytes) ? converted(pixels, Imgproc.COLOR_RGBA2BGR)
            : Transparency.on(decoding.background(), pixels, Channels.RGBA, premultiplied);
      };
    }
  }

  private static boolean isPadded(ImageHeader header, byte[] bytes) {
    return header.format() == ImageFormat.TIFF && TiffDirectory.first(bytes, 0).hasPadding();
  }

  private static boolean hasLuma(ImageHeader header, byte[] bytes) {
    return switch (header.format()) {
      case TIFF -> TiffDirectory.first(bytes, 0).hasLuma();
      case JPEG_2000 -> Jpeg2000.hasLuma(bytes);
      default -> false;
    };
  }

  private static Mat converted(Mat pixels, int conversion) {
    Imgproc.cvtColor(pixels, pixels, conversion);
    return pixels;
  }

  private static DecodedImage bitmap(byte[] bytes, ImageHeader header, Decoding decoding) throws ImageProblem {
    BmpHeader bitmap = BmpHeader.of(bytes);
    boolean cut = bitmap.fileSize() > bytes.length;
    byte[] whole = Truncation.padded(bytes, bitmap.fileSize());
    if (cut && (!decoding.keepDamaged() || whole == bytes)) {
      throw ImageHeader.truncated(bytes);
    }
    return new DecodedImage(bitmap.hasByteMasks() ? masked(whole, bitmap, decoding) : withOpenCv(whole, header), cut);
  }

  /** Decodes four bytes per pixel in the order of their masks, of which OpenCV ignores alpha. */
  private static Mat masked(byte[] bytes, BmpHeader bitmap, Decoding decoding) {
    Mat pixels = new Mat(bitmap.height(), bitmap.width(), CvType.CV_8UC4);
    ByteBuffer stored = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    byte[] row = new byte[4 * bitmap.width()];
    int[] masks = bitmap.masks();
    for (int y = 0; y < bitmap.height(); y++) {
      int at = bitmap.offset() + (bitmap.topDown() ? y : bitmap.height() - 1 - y) * row.length;
      for (int x = 0; x < row.length; x += 4) {
        int pixel = stored.getInt(at + x);
        for (int channel = 0; channel < 3; channel++) {
          row[x + channel] = (byte) sample(pixel, masks[channel]);
        }
        row[x + 3] = (byte) (masks[3] == 0 ? 0xFF : sample(pixel, masks[3]));
      }
      pixels.put(y, 0, row);
    }
    return Transparency.on(decoding.background(), pixels, Channels.RGBA, false);
  }

  private static int sample(int pixel, int mask) {
    return mask == 0 ? 0 : (pixel & mask) >>> Integer.numberOfTrailingZeros(mask);
  }

  /** Decodes without rotating: OpenCV reads the orientation only from the first APP1 segment, {@link JpegStructure} from all. */
  static Mat withOpenCv(byte[] bytes, ImageHeader header) throws ImageProblem {
    Mat encoded = new Mat(1, bytes.length, CvType.CV_8UC1);
    try {
      encoded.put(0, 0, bytes);
      Mat image = Imgcodecs.imdecode(encoded, Imgcodecs.IMREAD_COLOR | Imgcodecs.IMREAD_IGNORE_ORIENTATION);
      if (image.empty() || image.total() != header.pixels()) {
        image.release();
        throw damaged(header);
      }
      return image;
    } catch (CvException e) {
      throw damaged(header);
    } finally {
      encoded.release();
    }
  }

  static ImageProblem damaged(ImageHeader header) {
    return new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.DAMAGED, header.format().label() + " of " + header.width() + "x"
        + header.height() + " pixels is damaged; upload it again, or set spec.decoding.damaged to keep");
  }
}
