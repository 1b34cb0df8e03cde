package dev.featx.image;

import dev.featx.failure.QuarantineReason;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * An image's format and size, read before decoding: a small file may decode to gigabytes.
 *
 * @param format as its first bytes say, whatever the name
 * @param width in pixels as stored
 * @param height in pixels as stored
 * @param orientation of the stored image
 */
public record ImageHeader(ImageFormat format, int width, int height, Orientation orientation) {
  private static final int PIXEL = 3; // bytes as BGR
  private static final int TILE_WIDTH = 322;
  private static final int TILE_HEIGHT = 323;
  private static final int MOST_BLOCKS = 8; // of metadata in an AVIF
  private static final int MOST_TILE_PIXELS = 1 << 24;

  /** Creates the header of an image stored upright. */
  ImageHeader(ImageFormat format, int width, int height) {
    this(format, width, height, Orientation.TOP_LEFT);
  }

  /**
   * Reads the header.
   *
   * @throws ImageProblem NotAnImage, Truncated, or Unsupported if this executor lacks a library for the format
   */
  public static ImageHeader of(byte[] bytes) throws ImageProblem {
    if (bytes.length == 0) {
      throw new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.EMPTY, "the object has 0 bytes");
    }
    ImageFormat format = Signature.of(bytes);
    if (format == null) {
      throw notAnImage(bytes);
    }
    ImageHeader header = switch (format) {
      case JPEG -> ofJpeg(bytes);
      case PNG -> ofPng(bytes);
      case BMP -> ofBmp(bytes);
      case WEBP -> ofWebp(bytes);
      case TIFF -> ofTiff(bytes);
      case GIF -> ofGif(bytes);
      case AVIF, HEIC -> ofHeif(bytes, format);
      case JPEG_2000 -> Jpeg2000.header(bytes);
    };
    if (header.width <= 0 || header.height <= 0) {
      throw new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.NOT_AN_IMAGE, format.label() + " without a size");
    }
    return header;
  }

  /** Returns the number of pixels. */
  public long pixels() {
    return (long) width * height;
  }

  /** Returns the memory that decoding takes at its peak, counted in decoded pixels. */
  public long pixelsInMemory() {
    int bytes = switch (format) {
      case JPEG, BMP -> PIXEL;
      case PNG, WEBP, TIFF, GIF -> 3 * PIXEL; // four channels, and the library's own copy
      case AVIF, HEIC, JPEG_2000 -> 6 * PIXEL; // planes of whole numbers beside both
    };
    return pixels() * bytes / PIXEL;
  }

  private static ImageHeader ofJpeg(byte[] bytes) throws ImageProblem {
    JpegStructure structure = JpegStructure.of(bytes);
    if (structure.width() > 0 && structure.height() > 0) {
      return new ImageHeader(ImageFormat.JPEG, structure.width(), structure.height(), structure.orientation());
    }
    String kind = structure.width() > 0 ? null : JpegFrame.of(bytes).unsupported();
    if (kind != null) {
      throw unsupported(kind);
    }
    if (!structure.complete()) {
      throw truncated(bytes);
    }
    if (structure.width() > 0) {
      throw unsupported("a JPEG whose height is not in its frame header (a DNL marker defines it)");
    }
    throw new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.NOT_AN_IMAGE, "JPEG has no frame header");
  }

  private static ImageHeader ofPng(byte[] bytes) throws ImageProblem {
    PngStructure structure = PngStructure.of(bytes);
    if (structure.width() == 0 && !structure.complete()) {
      throw truncated(bytes);
    }
    return new ImageHeader(ImageFormat.PNG, structure.width(), structure.height(), structure.orientation());
  }

  private static ImageHeader ofBmp(byte[] bytes) throws ImageProblem {
    BmpHeader header = BmpHeader.of(bytes);
    if (header == null) {
      throw truncated(bytes);
    }
    return new ImageHeader(ImageFormat.BMP, header.width(), header.height());
  }

  private static ImageHeader ofWebp(byte[] bytes) throws ImageProblem {
    WebpStructure structure = WebpStructure.of(bytes);
    if (structure.width() == 0 && !structure.complete()) {
      throw truncated(bytes);
    }
    return new ImageHeader(ImageFormat.WEBP, structure.width(), structure.height(), structure.orientation());
  }

  private static ImageHeader ofGif(byte[] bytes) throws ImageProblem {
    vips(ImageFormat.GIF);
    GifStructure structure = GifStructure.of(bytes);
    if (structure == null) {
      throw Truncation.isCut(bytes, ImageFormat.GIF) ? truncated(bytes) : damagedHeader(ImageFormat.GIF);
    }
    return new ImageHeader(ImageFormat.GIF, structure.width(), structure.height());
  }

  private static ImageHeader ofTiff(byte[] bytes) throws ImageProblem {
    TiffDirectory directory = TiffDirectory.first(bytes, 0);
    ImageHeader header;
    try {
      header = withVips(bytes, ImageFormat.TIFF);
    } catch (ImageProblem problem) {
      header = directory == null ? null : new ImageHeader(ImageFormat.TIFF, directory.width(), directory.height());
      if (problem.reason() != QuarantineReason.NOT_AN_IMAGE || header == null || header.pixels() <= 0) {
        throw problem;
      }
      if (!LibTiff.decodes(bytes)) {
        throw directory.unusual() == null ? problem : unsupported(directory.unusual());
      }
    }
    if (directory != null && directory.hasUnknownCompression()) {
      throw unsupported(directory.compression()); // no part of it can be decoded
    }
    if (directory != null && directory.misread() != null) {
      throw unsupported(directory.misread());
    }
    long tile = (long) directory.integer(TILE_WIDTH, 0) * directory.integer(TILE_HEIGHT, 0);
    if (tile < 0 || tile > MOST_TILE_PIXELS && tile > header.pixels()) {
      throw unsupported("a TIFF whose tiles are larger than the image"); // libtiff allocates a whole tile
    }
    return new ImageHeader(ImageFormat.TIFF, header.width, header.height, Orientation.of(bytes, null));
  }

  private static ImageHeader ofHeif(byte[] bytes, ImageFormat format) throws ImageProblem {
    HeifStructure structure = HeifStructure.of(bytes);
    String unsupported = structure.unsupported(format);
    if (unsupported != null && !Truncation.isCut(bytes, format)) {
      throw unsupported(unsupported);
    }
    if (structure.obstacle() != null) {
      throw unsupported(format.label() + " " + structure.obstacle());
    }
    ImageHeader header = withVips(structure.decodable(), format);
    if (structure.pixels() > MOST_TILE_PIXELS && structure.pixels() > 2 * header.pixels()) {
      throw unsupported(format.label() + " whose coded frame is larger than the image"); // it is cropped after decoding
    }
    return structure.turned() ? new ImageHeader(format, header.width, header.height) : header;
  }

  private static ImageHeader withVips(byte[] bytes, ImageFormat format) throws ImageProblem {
    try (VipsImage image = VipsImage.open(vips(format), bytes, format, true)) {
      if (image.hasTooManyBands()) {
        throw unsupported(format.label() + " of " + image.bands() + " channels");
      }
      return new ImageHeader(format, image.width(), image.height(), inMetadata(image, format));
    } catch (VipsImage.VipsException e) {
      if (Truncation.isCut(bytes, format)) {
        throw truncated(bytes);
      }
      throw damagedHeader(format);
    }
  }

  /** Returns the orientation of an AVIF that XMP has and EXIF has not: Pillow ignores that of EXIF. */
  private static Orientation inMetadata(VipsImage image, ImageFormat format) {
    byte[] exif = image.metadata("exif-data");
    if (format != ImageFormat.AVIF || exif != null && Orientation.isIn(exif)) {
      return Orientation.TOP_LEFT;
    }
    Orientation orientation = Orientation.of(null, image.metadata("xmp-data"));
    for (int block = 0; orientation == Orientation.TOP_LEFT && block < MOST_BLOCKS; block++) {
      orientation = Orientation.of(null, image.metadata("heif-mime-" + block)); // what libvips does not recognize as XMP
    }
    return orientation;
  }

  /** Returns the library that decodes a format. */
  static Vips vips(ImageFormat format) throws ImageProblem {
    if (Vips.library() == null) {
      throw unsupported(format.label() + ", which requires " + Vips.NAME + ": install " + Vips.PACKAGE);
    }
    return Vips.library();
  }

  static ImageProblem truncated(byte[] bytes) {
    return new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.TRUNCATED,
        "the file ends after " + bytes.length + " bytes, before its image does; upload it again");
  }

  static ImageProblem damagedHeader(ImageFormat format) {
    return new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.NOT_AN_IMAGE,
        "the header of the " + format.label() + " is damaged");
  }

  /** Returns the problem of an intact image that executors do not decode. */
  static ImageProblem unsupported(String what) {
    return new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.UNSUPPORTED, what + "; convert it to 8-bit JPEG or PNG");
  }

  private static ImageProblem notAnImage(byte[] bytes) {
    Content content = Content.of(bytes);
    String count = bytes.length == 1 ? "1 byte" : bytes.length + " bytes";
    String seems = bytes.length == 1 ? " that seems to be " : " that seem to be ";
    String formats = Arrays.stream(ImageFormat.values()).map(ImageFormat::label).collect(Collectors.joining(", "));
    return new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.NOT_AN_IMAGE, count
        + (content == null ? "" : seems + content.label()) + "; decoded formats are " + formats);
  }
}
