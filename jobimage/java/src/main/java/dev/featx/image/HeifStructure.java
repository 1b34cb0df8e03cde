package dev.featx.image;

import dev.featx.image.HeifItems.Box;
import dev.featx.image.HeifItems.Item;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What the boxes of an AVIF or HEIC say of its primary image (ISO/IEC 23008-12), read without decoding.
 *
 * @param codec four characters that name how the primary image is coded, or null if the file does not say
 * @param moving whether there is an image sequence
 * @param limitedGrey whether it is grey, with luma from 16 to 235: libheif 1.15 takes that for the full range
 * @param premultiplied whether its colours are multiplied by its alpha, which libheif leaves as it is
 * @param turned whether the file says how to turn it upright
 * @param pixels before it is cropped, or 0 if the file does not say
 * @param obstacle why it is not decoded, though its codec is: mostly that it would take more than the size suggests; or null
 * @param decodable the file, with the size of a last box that runs to the end of the file, which libheif 1.15 does not read
 */
record HeifStructure(String codec, boolean moving, boolean limitedGrey, boolean premultiplied, boolean turned, long pixels,
    String obstacle, byte[] decodable) {
  private static final Set<String> DECODED = Set.of("hvc1", "av01", "grid", "iden", "iovl");
  private static final Map<String, String> CODECS = Map.of("avc1", "AVC (H.264)", "vvc1", "VVC (H.266)", "evc1", "EVC", "jpeg", "JPEG",
      "mjpg", "JPEG", "j2k1", "JPEG 2000", "unci", "uncompressed pixels", "tmap", "a tone map", "hev1", "HEVC without its settings");
  private static final Set<String> TRANSFORMATIONS = Set.of("irot", "imir", "clap");
  private static final Pattern ALPHA = Pattern.compile(":alpha|:auxid:1"); // in AVIF, and in HEIC
  private static final String TURNED_APART = "whose transparency is turned or cropped in another way than its colours";
  private static final int SEQUENCE = 1 << 12; // bytes of an image's data that hold its first sequence header

  /** Reads the boxes; what is damaged is left to the decoder. */
  static HeifStructure of(byte[] bytes) {
    HeifItems file = HeifItems.of(bytes);
    List<Box> top = file.top();
    byte[] decodable = bytes;
    int last = top.isEmpty() ? 0 : top.get(top.size() - 1).at();
    if (!top.isEmpty() && ByteBuffer.wrap(bytes).getInt(last) == 0) {
      decodable = bytes.clone();
      ByteBuffer.wrap(decodable).putInt(last, bytes.length - last);
    }
    boolean moving = top.stream().anyMatch(box -> box.type().equals("moov"));
    Item image = file.primary();
    if (image == null) {
      return new HeifStructure(null, moving, false, false, false, 0, file.hostile(), decodable);
    }
    HeifWork work = new HeifWork(file, image);
    String obstacle = work.excess() == null && isAlphaTurnedApart(file, image) ? TURNED_APART : work.excess();
    return new HeifStructure(image.type(), moving, isLimitedGrey(file, image), image.isPremultiplied(), isTurned(file, image),
        work.pixels(), obstacle, decodable);
  }

  /** Returns whether the image's alpha is turned, mirrored or cropped in another way than its colours. */
  private static boolean isAlphaTurnedApart(HeifItems file, Item image) {
    List<String> own = transformations(file, image);
    return image.auxiliaries().stream().map(file::item).filter(Objects::nonNull)
        .anyMatch(item -> isAlpha(file, item) && !transformations(file, item).equals(own));
  }

  private static boolean isAlpha(HeifItems file, Item item) {
    Box kind = item.property("auxC");
    return kind != null && ALPHA.matcher(StandardCharsets.ISO_8859_1.decode(file.content(kind))).find();
  }

  private static List<String> transformations(HeifItems file, Item image) {
    return image.properties().stream().filter(property -> TRANSFORMATIONS.contains(property.type()))
        .map(property -> property.type() + StandardCharsets.ISO_8859_1.decode(file.content(property)))
        .filter(transformation -> !transformation.equals("irot\0")).toList();
  }

  private static boolean isTurned(HeifItems file, Item image) {
    for (Box property : image.properties()) {
      ByteBuffer content = file.content(property);
      if (property.type().equals("imir") || property.type().equals("irot") && content.limit() > 0 && (content.get(0) & 3) != 0) {
        return true;
      }
    }
    return false;
  }

  private static boolean isLimitedGrey(HeifItems file, Item image) {
    for (Box property : file.properties()) {
      ByteBuffer settings = file.content(property);
      if (property.type().equals("av1C") && settings.limit() > 2 && (settings.get(2) & 0x10) == 0
          || property.type().equals("hvcC") && settings.limit() > 16 && (settings.get(16) & 3) != 0) {
        return false;
      }
    }
    for (Box property : image.properties()) {
      ByteBuffer colour = file.content(property);
      if (property.type().equals("colr") && colour.limit() > 10
          && StandardCharsets.ISO_8859_1.decode(colour.slice(0, 4)).toString().equals("nclx")) {
        return (colour.get(10) & 0x80) == 0;
      }
    }
    Av1Sequence sequence = "av01".equals(image.type()) ? Av1Sequence.of(file.content(image, SEQUENCE), 0) : null;
    return sequence != null && sequence.limitedRange();
  }

  /** Returns why executors do not decode the primary image, or null if they do. */
  String unsupported(ImageFormat format) {
    if (codec == null) {
      return moving ? "an " + format.label() + " sequence without a still image" : null;
    }
    String name = CODECS.getOrDefault(codec, "something else than HEVC or AV1");
    return DECODED.contains(codec) ? null : format.label() + " coded as " + name;
  }
}
