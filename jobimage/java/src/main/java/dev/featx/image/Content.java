package dev.featx.image;

import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;

/**
 * What bytes that are not a supported image seem to be.
 *
 * <p>Only ever named, never quoted: an object that was taken for an image may hold a secret.
 */
enum Content {
  ZEROS("only zero bytes; upload it again"),
  GIT_LFS("a Git LFS pointer; run `git lfs pull` and upload the images"),
  XAR("an xar archive"),
  GZIP("gzip data; decompress it"),
  BZIP2("bzip2 data; decompress it"),
  XZ("xz data; decompress it"),
  ZSTANDARD("Zstandard data; decompress it"),
  ZIP("a ZIP archive; unpack it"),
  SEVEN_ZIP("a 7-Zip archive; unpack it"),
  RAR("a RAR archive; unpack it"),
  TAR("a tar archive; set spec.source.packed to read its members"),
  PARQUET("a Parquet file; set spec.source.packed to read its rows"),
  PDF("a PDF document"),
  POSTSCRIPT("a PostScript document"),
  ICO("an ICO icon"),
  ICNS("an ICNS icon"),
  PHOTOSHOP("a Photoshop document (PSD)"),
  XCF("a GIMP document (XCF)"),
  JPEG_XL("a JPEG XL image"),
  JPEG_XR("a JPEG XR image"),
  TGA("a TGA image"),
  PCX("a PCX image"),
  PNM("a PPM, PGM or PBM image"),
  PFM("a PFM image"),
  DDS("a DirectDraw texture (DDS)"),
  EXR("an OpenEXR image"),
  RADIANCE("a Radiance HDR image"),
  QOI("a QOI image"),
  BPG("a BPG image"),
  FLIF("a FLIF image"),
  DICOM("a DICOM image"),
  FITS("a FITS image"),
  CAMERA_RAW("a camera's raw file"),
  HEIF("a HEIF image that is coded neither as HEVC nor as AV1"),
  WINDOWS_METAFILE("a Windows metafile"),
  MP4("an MP4 or QuickTime video"),
  WEBM("a WebM or Matroska video"),
  AVI("an AVI video"),
  RIFF("a RIFF file"),
  MPEG("an MPEG video"),
  MP3("an MP3 recording"),
  OGG("an Ogg file"),
  NUMPY("a NumPy array"),
  HDF5("an HDF5 file"),
  SQLITE("an SQLite database"),
  APPLE_DOUBLE("a macOS resource fork (AppleDouble)"),
  ELF("a Linux program"),
  WINDOWS_PROGRAM("a Windows program"),
  FONT("a font"),
  HTTP("a stored HTTP response; store its body alone"),
  HTML("an HTML page, as servers send instead of a missing image"),
  SVG("an SVG drawing"),
  XML_ERROR("an XML error message of a store"),
  XML("an XML document"),
  DATA_URL("a data: URL; store the decoded bytes"),
  URL("an address; store the bytes that it refers to"),
  BASE64_IMAGE("an image in base64; store the decoded bytes"),
  JSON("a JSON document"),
  BASE64("base64 text; store the decoded bytes"),
  HEX("hexadecimal text; store the decoded bytes"),
  TEXT("plain text");

  private static final Set<String> HEIF_BRANDS = Set.of("avci", "avcs", "avic", "vvic", "vvis", "evbi", "evbs", "jpeg", "jpgs", "j2ki",
      "j2is", "unif", "mif3", "geo1", "isoh");
  private static final int TGA_HEADER = 18;
  private static final int PCX_HEADER = 128;
  private static final int HEAD = 4096;
  private static final int LEAST_ENCODED = 32;

  private final String label;

  Content(String label) {
    this.label = label;
  }

  /** Returns its name with an article, and what to do if there is something. */
  String label() {
    return label;
  }

  /** Returns what bytes seem to be, or null if nothing is known of them. */
  static Content of(byte[] bytes) {
    Content content = ofSignature(bytes);
    return content == null ? ofText(bytes) : content;
  }

  private static Content ofSignature(byte[] bytes) {
    Content content = ofContainer(bytes);
    if (content == null) {
      content = ofPicture(bytes);
    }
    return content == null ? ofOther(bytes) : content;
  }

  private static Content ofContainer(byte[] bytes) {
    return is(bytes, "\u001F\u008B") ? GZIP
        : is(bytes, "BZh") ? BZIP2
        : is(bytes, "\u00FD7zXZ\0") ? XZ
        : is(bytes, "\u0028\u00B5\u002F\u00FD") ? ZSTANDARD
        : is(bytes, "PK\u0003\u0004") || is(bytes, "PK\u0005\u0006") ? ZIP
        : is(bytes, "7z\u00BC\u00AF\u0027\u001C") ? SEVEN_ZIP
        : is(bytes, "Rar!\u001A\u0007") ? RAR
        : is(bytes, "xar!") ? XAR
        : Signature.startsWith(bytes, 257, "ustar") ? TAR
        : is(bytes, "PAR1") ? PARQUET
        : is(bytes, "\u0089HDF") ? HDF5
        : is(bytes, "\u0093NUMPY") ? NUMPY
        : is(bytes, "SQLite format 3") ? SQLITE
        : is(bytes, "\0\u0005\u0016\u0007") ? APPLE_DOUBLE
        : null;
  }

  private static Content ofPicture(byte[] bytes) {
    return is(bytes, "%PDF") ? PDF
        : is(bytes, "%!PS") ? POSTSCRIPT
        : isIcon(bytes) ? ICO
        : is(bytes, "icns") ? ICNS
        : is(bytes, "8BPS") ? PHOTOSHOP
        : is(bytes, "gimp xcf") ? XCF
        : is(bytes, "\u00FF\n") || Signature.startsWith(bytes, 4, "JXL ") ? JPEG_XL
        : is(bytes, "II\u00BC") ? JPEG_XR
        : bytes.length > 8 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7' && isBlank(bytes[2]) ? PNM
        : is(bytes, "PF\n") || is(bytes, "Pf\n") ? PFM
        : is(bytes, "DDS ") ? DDS
        : is(bytes, "\u0076\u002F\u0031\u0001") ? EXR
        : is(bytes, "#?R") ? RADIANCE
        : is(bytes, "qoif") ? QOI
        : is(bytes, "BPG\u00FB") ? BPG
        : is(bytes, "FLIF") ? FLIF
        : Signature.startsWith(bytes, 128, "DICM") ? DICOM
        : is(bytes, "SIMPLE  =") ? FITS
        : isCameraRaw(bytes) ? CAMERA_RAW
        : isHeif(bytes) ? HEIF
        : isPcx(bytes) ? PCX
        : is(bytes, "\u00D7\u00CD\u00C6\u009A") || Signature.startsWith(bytes, 40, " EMF") ? WINDOWS_METAFILE
        : isTga(bytes) ? TGA
        : null;
  }

  /** Icons and cursors have the number of their images after their signature, where the commonest TGAs have zeros. */
  private static boolean isIcon(byte[] bytes) {
    return (is(bytes, "\0\0\u0001\0") || is(bytes, "\0\0\u0002\0")) && bytes.length > 5 && (bytes[4] | bytes[5]) != 0;
  }

  /** A TGA has no signature: its header must make sense as a whole. */
  private static boolean isTga(byte[] bytes) {
    if (bytes.length <= TGA_HEADER || Signature.startsWith(bytes, bytes.length - 18, "TRUEVISION-XFILE.\0")) {
      return bytes.length > TGA_HEADER;
    }
    boolean coloured = bytes[2] == 1 || bytes[2] == 9; // from a palette, which other kinds may have too
    boolean palette = bytes[1] == 1 && Set.of(15, 16, 24, 32).contains((int) bytes[7]) && (bytes[5] | bytes[6]) != 0;
    boolean none = bytes[1] == 0 && (bytes[3] | bytes[4] | bytes[5] | bytes[6] | bytes[7]) == 0;
    boolean sized = (bytes[12] | bytes[13]) != 0 && (bytes[14] | bytes[15]) != 0;
    return Set.of(1, 2, 3, 9, 10, 11).contains((int) bytes[2]) && (palette || none && !coloured) && sized
        && Set.of(1, 8, 15, 16, 24, 32).contains((int) bytes[16]) && (bytes[17] & 0xC0) == 0;
  }

  private static boolean isPcx(byte[] bytes) {
    return bytes.length > PCX_HEADER && bytes[0] == 10 && Set.of(0, 2, 3, 4, 5).contains((int) bytes[1]) && (bytes[2] | 1) == 1
        && Set.of(1, 2, 4, 8).contains((int) bytes[3]) && bytes[64] == 0;
  }

  private static boolean isHeif(byte[] bytes) {
    return bytes.length >= 12 && Signature.startsWith(bytes, 4, "ftyp")
        && HEIF_BRANDS.contains(new String(bytes, 8, 4, StandardCharsets.ISO_8859_1));
  }

  private static boolean isCameraRaw(byte[] bytes) {
    return is(bytes, "IIRO") || is(bytes, "IIRS") || is(bytes, "MMOR") || is(bytes, "IIU\0") || is(bytes, "FUJIFILMCCD-RAW")
        || is(bytes, "FOVb") || is(bytes, "\0MRM") || Signature.startsWith(bytes, 4, "ftypcrx")
        || is(bytes, "II*\0") && Signature.startsWith(bytes, 8, "CR");
  }

  private static Content ofOther(byte[] bytes) {
    return Signature.startsWith(bytes, 4, "ftyp") || Signature.startsWith(bytes, 4, "moov") || Signature.startsWith(bytes, 4, "mdat")
        ? MP4
        : is(bytes, "\u001A\u0045\u00DF\u00A3") ? WEBM
        : is(bytes, "RIFF") ? (Signature.startsWith(bytes, 8, "AVI ") ? AVI : RIFF)
        : is(bytes, "\0\0\u0001\u00BA") || is(bytes, "\0\0\u0001\u00B3") ? MPEG
        : is(bytes, "ID3") ? MP3
        : is(bytes, "OggS") ? OGG
        : is(bytes, "\u007FELF") ? ELF
        : is(bytes, "MZ") ? WINDOWS_PROGRAM
        : is(bytes, "OTTO") || is(bytes, "wOFF") || is(bytes, "wOF2") ? FONT
        : isZeros(bytes) ? ZEROS
        : null;
  }

  private static Content ofText(byte[] bytes) {
    String head = head(bytes);
    if (head == null) {
      return null;
    }
    String start = head.strip().toLowerCase(Locale.ROOT);
    return start.startsWith("version https://git-lfs") ? GIT_LFS
        : start.startsWith("http/") ? HTTP
        : start.startsWith("<!doctype html") || start.contains("<html") || start.startsWith("<head") || start.startsWith("<body")
            ? HTML
        : start.startsWith("<") ? ofMarkup(start)
        : start.startsWith("data:image/") ? DATA_URL
        : start.matches("[a-z][a-z0-9+.-]*://\\S+") ? URL
        : ofEncoding(head.strip());
  }

  private static Content ofMarkup(String start) {
    return start.contains("<svg") ? SVG : start.contains("<error>") && start.contains("<code>") ? XML_ERROR : XML;
  }

  private static Content ofEncoding(String text) {
    boolean base64 = text.length() >= LEAST_ENCODED && text.matches("(?s)[A-Za-z0-9+/_\\s-]+={0,2}\\s*") && !text.contains(" ");
    return base64 && text.matches("(?s)(/9j/|iVBORw0KGgo|R0lGOD|UklGR|SUkqA|TU0AK|Qk).*") ? BASE64_IMAGE
        : text.startsWith("{") || text.startsWith("[") ? JSON
        : text.length() >= LEAST_ENCODED && text.matches("(?s)(0x|\\\\x)?[0-9A-Fa-f\\s]+") ? HEX
        : base64 ? BASE64
        : TEXT;
  }

  /** Returns the first characters, or null if they are no text. */
  private static String head(byte[] bytes) {
    int length = Math.min(HEAD, bytes.length);
    if (is(bytes, "\u00FF\u00FE") || is(bytes, "\u00FE\u00FF")) {
      return new String(bytes, 0, length, StandardCharsets.UTF_16);
    }
    for (int i = 0; i < length; i++) {
      if (bytes[i] >= 0 && bytes[i] < ' ' && !isBlank(bytes[i])) {
        return null;
      }
    }
    String head = new String(bytes, 0, length, StandardCharsets.UTF_8);
    long unknown = head.chars().filter(character -> character == '\uFFFD').count();
    return unknown > 1 ? null : head.startsWith("\uFEFF") ? head.substring(1) : head; // the last character may be cut
  }

  private static boolean isZeros(byte[] bytes) {
    for (byte value : bytes) {
      if (value != 0) {
        return false;
      }
    }
    return true;
  }

  private static boolean isBlank(byte value) {
    return value == ' ' || value == '\n' || value == '\r' || value == '\t' || value == '\f';
  }

  private static boolean is(byte[] bytes, String signature) {
    return Signature.startsWith(bytes, 0, signature);
  }
}
