package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What the boxes of an AVIF or HEIC say of its primary image (ISO/IEC 23008-12), read without decoding.
 *
 * @param codec four characters that name how the primary image is coded, or null if the file does not say
 * @param moving whether there is an image sequence
 * @param limitedGrey whether it is grey, with luma from 16 to 235: libheif 1.15 takes that for the full range
 * @param premultiplied whether its colours are multiplied by its alpha, which libheif leaves as it is
 * @param pixels in the coded frame of an AV1 image, or 0 if it is a grid: the frame may be larger than the header says
 * @param decodable the file, with the size of a last box that runs to the end of the file, which libheif 1.15 does not read
 */
record HeifStructure(String codec, boolean moving, boolean limitedGrey, boolean premultiplied, long pixels,
    byte[] decodable) {
  private static final Set<String> DECODED = Set.of("hvc1", "av01", "grid", "iden", "iovl");
  private static final Map<String, String> CODECS = Map.of("avc1", "AVC (H.264)", "vvc1", "VVC (H.266)", "evc1", "EVC", "jpeg", "JPEG",
      "mjpg", "JPEG", "j2k1", "JPEG 2000", "unci", "uncompressed pixels", "tmap", "a tone map", "hev1", "HEVC without its settings");
  private static final int MOST_BOXES = 10_000;

  /** A box of the file, whose content is from start to end. */
  private record Box(String type, int at, int start, int end) {}

  /** Reads the boxes; what is damaged is left to the decoder. */
  static HeifStructure of(byte[] bytes) {
    Reader reader = new Reader(ByteBuffer.wrap(bytes));
    List<Box> top = reader.boxes(0, bytes.length);
    byte[] decodable = bytes;
    if (!top.isEmpty() && reader.data.getInt(top.get(top.size() - 1).at) == 0) {
      decodable = bytes.clone();
      ByteBuffer.wrap(decodable).putInt(top.get(top.size() - 1).at, bytes.length - top.get(top.size() - 1).at);
    }
    boolean moving = top.stream().anyMatch(box -> box.type.equals("moov"));
    for (Box meta : top) {
      if (meta.type.equals("meta")) {
        try {
          List<Box> boxes = reader.boxes(meta.start + 4, meta.end);
          int primary = reader.primary(boxes);
          Av1Sequence sequence = reader.sequence(boxes, primary);
          boolean grey = reader.isLimitedGrey(boxes, primary, sequence);
          return new HeifStructure(reader.type(boxes, primary), moving, grey, reader.isPremultiplied(boxes, primary),
              sequence == null ? 0 : sequence.pixels(), decodable);
        } catch (IndexOutOfBoundsException e) {
          break;
        }
      }
    }
    return new HeifStructure(null, moving, false, false, 0, decodable);
  }

  /** Returns why executors do not decode the primary image, or null if they do. */
  String unsupported(ImageFormat format) {
    if (codec == null) {
      return moving ? "an " + format.label() + " sequence without a still image" : null;
    }
    String name = CODECS.getOrDefault(codec, "something else than HEVC or AV1");
    return DECODED.contains(codec) ? null : format.label() + " coded as " + name;
  }

  /** Reads boxes at their positions. */
  private record Reader(ByteBuffer data) {
    List<Box> boxes(int start, int end) {
      List<Box> boxes = new ArrayList<>();
      long at = start;
      while (at + 8 <= end && boxes.size() < MOST_BOXES) {
        long length = data.getInt((int) at) & 0xFFFFFFFFL;
        int header = length == 1 ? 16 : 8;
        if (at + header > end) {
          break;
        }
        length = length == 1 ? data.getLong((int) at + 8) : length == 0 ? end - at : length;
        if (length < header) {
          break;
        }
        boxes.add(new Box(text((int) at + 4), (int) at, (int) at + header, (int) Math.min(end, at + length)));
        at = length > end ? end : at + length;
      }
      return boxes;
    }

    private String text(int at) {
      byte[] name = new byte[4];
      for (int i = 0; i < name.length; i++) {
        name[i] = data.get(at + i);
      }
      return new String(name, StandardCharsets.ISO_8859_1);
    }

    private int number(int at, boolean wide) {
      return wide ? data.getInt(at) : data.getShort(at) & 0xFFFF;
    }

    private static Box first(List<Box> boxes, String type) {
      return boxes.stream().filter(box -> box.type.equals(type)).findFirst().orElse(null);
    }

    int primary(List<Box> meta) {
      Box box = first(meta, "pitm");
      return box == null ? -1 : number(box.start + 4, data.get(box.start) > 0);
    }

    /** Returns how an item is coded, or null if there is no such item. */
    String type(List<Box> meta, int item) {
      Box items = first(meta, "iinf");
      if (items == null) {
        return null;
      }
      for (Box entry : boxes(items.start + (data.get(items.start) > 0 ? 8 : 6), items.end)) {
        boolean wide = data.get(entry.start) > 2;
        if (entry.type.equals("infe") && number(entry.start + 4, wide) == item) {
          return text(entry.start + (wide ? 10 : 8));
        }
      }
      return null;
    }

    boolean isPremultiplied(List<Box> meta, int item) {
      Box references = first(meta, "iref");
      return references != null && boxes(references.start + 4, references.end).stream()
          .anyMatch(box -> box.type.equals("prem") && number(box.start, data.get(references.start) > 0) == item);
    }

    /** Returns the sequence header at the start of an item's data, or null. */
    Av1Sequence sequence(List<Box> meta, int item) {
      Box locations = first(meta, "iloc");
      if (locations == null || !"av01".equals(type(meta, item))) {
        return null;
      }
      int version = data.get(locations.start);
      int sizes = data.getShort(locations.start + 4) & 0xFFFF;
      int offsetSize = sizes >> 12;
      int lengthSize = sizes >> 8 & 0xF;
      int baseSize = sizes >> 4 & 0xF;
      int indexSize = version > 0 ? sizes & 0xF : 0;
      int at = locations.start + 6;
      int items = number(at, version > 1);
      at += version > 1 ? 4 : 2;
      for (; items > 0 && at < locations.end; items--) {
        boolean own = number(at, version > 1) == item;
        at += version > 1 ? 4 : 2;
        int method = version > 0 ? data.getShort(at) & 0xF : 0;
        at += (version > 0 ? 2 : 0) + 2;
        long base = unsigned(at, baseSize);
        int extents = data.getShort(at + baseSize) & 0xFFFF;
        at += baseSize + 2;
        if (own && extents > 0 && method <= 1) {
          Box container = method == 1 ? first(meta, "idat") : new Box("", 0, 0, 0);
          long start = base + unsigned(at + indexSize, offsetSize) + (container == null ? 0 : container.start);
          return Av1Sequence.of(data.array(), (int) Math.min(data.capacity(), start));
        }
        at += extents * (indexSize + offsetSize + lengthSize);
      }
      return null;
    }

    private long unsigned(int at, int size) {
      return size == 8 ? data.getLong(at) : size == 4 ? data.getInt(at) & 0xFFFFFFFFL : 0;
    }

    boolean isLimitedGrey(List<Box> meta, int item, Av1Sequence sequence) {
      Box properties = first(meta, "iprp");
      if (properties == null) {
        return false;
      }
      List<Box> parts = boxes(properties.start, properties.end);
      Box container = first(parts, "ipco");
      if (container == null) {
        return false;
      }
      List<Box> all = boxes(container.start, container.end);
      long coloured = all.stream().filter(box -> box.type.equals("av1C") && (data.get(box.start + 2) & 0x10) == 0
          || box.type.equals("hvcC") && (data.get(box.start + 16) & 3) != 0).count();
      boolean limited = sequence != null && sequence.limitedRange();
      for (Box association : parts) {
        if (association.type.equals("ipma")) {
          Boolean said = hasLimitedRange(association, item, all);
          limited = said == null ? limited : said;
        }
      }
      return coloured == 0 && limited;
    }

    /** Returns what the item's colour property says, or null without one. */
    private Boolean hasLimitedRange(Box association, int item, List<Box> properties) {
      boolean wideItem = data.get(association.start) > 0;
      boolean wideIndex = (data.get(association.start + 3) & 1) != 0;
      int at = association.start + 8;
      for (int entries = data.getInt(association.start + 4); entries > 0 && at < association.end; entries--) {
        boolean own = number(at, wideItem) == item;
        at += wideItem ? 4 : 2;
        int count = data.get(at++) & 0xFF;
        for (int i = 0; i < count; i++, at += wideIndex ? 2 : 1) {
          int index = wideIndex ? data.getShort(at) & 0x7FFF : data.get(at) & 0x7F;
          Box property = own && index > 0 && index <= properties.size() ? properties.get(index - 1) : null;
          if (property != null && property.type.equals("colr") && text(property.start).equals("nclx")) {
            return (data.get(property.start + 10) & 0x80) == 0;
          }
        }
      }
      return null;
    }
  }
}
