package dev.featx.image;

import com.intel.analytics.bigdl.opencv.OpenCV;
import dev.featx.failure.QuarantineReason;
import dev.featx.image.Transparency.Channels;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.opencv.core.Core;
import org.opencv.core.CvException;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.imgcodecs.Imgcodecs;
import org.opencv.imgproc.Imgproc;

/**
 * Decodes images to upright 8-bit BGR pixels of sRGB: each format with the library that reads what people have of it.
 *
 * <p>The reference is Pillow: grey, palette, 16-bit and CMYK images become RGB, transparent pixels show the background, and of
 * several frames or pages the first is decoded.
 */
public final class Decoder {
  private static final Set<ImageFormat> WHOLE_ONLY =
      EnumSet.of(ImageFormat.WEBP, ImageFormat.AVIF, ImageFormat.HEIC, ImageFormat.JPEG_2000);

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
      case BMP -> BmpDecoder.decode(bytes, header, decoding);
      case PNG -> portable(bytes, header, decoding);
      case AVIF, HEIC -> withVips(HeifStructure.of(bytes).decodable(), header, decoding, true);
      case JPEG_2000 -> new DecodedImage(Jpeg2000.decode(bytes, header, decoding), false);
      case TIFF -> tiff(bytes, header, decoding);
      case GIF -> animated(bytes, header, decoding);
      case WEBP -> withVips(bytes, header, decoding, true);
    };
    return new DecodedImage(header.orientation().upright(stored.pixels()), stored.damaged());
  }

  private static DecodedImage animated(byte[] bytes, ImageHeader header, Decoding decoding) throws ImageProblem {
    if (GifStructure.of(bytes).isWhole(bytes)) {
      return withVips(bytes, header, decoding, true);
    }
    if (!decoding.keepDamaged()) {
      throw Truncation.isCut(bytes, ImageFormat.GIF) ? ImageHeader.truncated(bytes) : damaged(header);
    }
    return new DecodedImage(withVips(bytes, header, decoding, true).pixels(), true);
  }

  private static DecodedImage tiff(byte[] bytes, ImageHeader header, Decoding decoding) throws ImageProblem {
    try {
      if (!TiffDirectory.first(bytes, 0).isSigned()) {
        return withVips(bytes, header, new Decoding(decoding.background(), false), true);
      }
    } catch (ImageProblem problem) {
      if (problem.reason() == QuarantineReason.TRUNCATED) {
        return withVips(bytes, header, decoding, true);
      }
    }
    Mat pixels = LibTiff.decode(bytes, header);
    if (pixels == null) {
      return withVips(bytes, header, decoding, true);
    }
    boolean padded = TiffDirectory.first(bytes, 0).hasPadding();
    return new DecodedImage(padded ? converted(pixels, Imgproc.COLOR_RGBA2BGR)
        : Transparency.on(decoding.background(), pixels, Channels.RGBA, true), false);
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
      if (image.isLab()) {
        IccProfile.fromLab(pixels);
        return Transparency.opaque(pixels, decoding.background());
      }
      if (header.format() == ImageFormat.GIF) {
        GifStructure.of(bytes).fill(pixels, bytes);
      }
      if (pixels.channels() == 3 && header.format() == ImageFormat.TIFF && TiffDirectory.first(bytes, 0).hasLuma()) {
        return Transparency.fromYcc(pixels);
      }
      if (isHeif(header.format())) {
        HeifStructure structure = HeifStructure.of(bytes);
        if (structure.limitedGrey()) {
          Transparency.expand(pixels);
        }
        if (structure.premultiplied()) {
          Transparency.divide(pixels);
        }
      }
      IccProfile.toSrgb(pixels, image.metadata("icc-profile-data"), false);
      return Transparency.opaque(isPadded(image, header, bytes) ? withoutLast(pixels) : pixels, decoding.background());
    }
  }

  private static boolean isHeif(ImageFormat format) {
    return format == ImageFormat.AVIF || format == ImageFormat.HEIC;
  }

  private static boolean isPadded(VipsImage image, ImageHeader header, byte[] bytes) {
    return header.format() == ImageFormat.TIFF && image.bands() % 2 == 0 && TiffDirectory.first(bytes, 0).hasPadding();
  }

  /** Returns an image without its last channel, which means nothing. */
  private static Mat withoutLast(Mat pixels) {
    List<Mat> channels = new ArrayList<>();
    Core.split(pixels, channels);
    Core.merge(channels.subList(0, Math.max(1, channels.size() - 1)), pixels);
    channels.forEach(Mat::release);
    return pixels;
  }

  private static Mat converted(Mat pixels, int conversion) {
    Imgproc.cvtColor(pixels, pixels, conversion);
    return pixels;
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
    String hint = WHOLE_ONLY.contains(header.format()) ? "upload it again" : "upload it again, or set spec.decoding.damaged to keep";
    return new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.DAMAGED, header.format().label() + " of " + header.width() + "x"
        + header.height() + " pixels is damaged; " + hint);
  }
}
