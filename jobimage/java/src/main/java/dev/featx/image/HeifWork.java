package dev.featx.image;

import dev.featx.image.HeifItems.Box;
import dev.featx.image.HeifItems.Item;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;

/**
 * What a decoder would do for an image of a HEIF file, and for all that it is derived from: some hundred bytes may describe a
 * canvas of gigabytes, a tile that is decoded a thousand times, or an image that is derived from itself.
 */
final class HeifWork {
  private static final Set<String> DERIVED = Set.of("grid", "iden", "iovl");
  private static final int DEEPEST = 3; // images derived from derived images
  private static final int MOST_PARTS = 1 << 14;
  private static final long LEAST_PIXELS = 1 << 24; // that any image may take to decode
  private static final int CANVAS = 32; // bytes of a grid or an overlay that hold its size
  private static final int SETTINGS = 4; // bytes of av1C before its units

  private final HeifItems file;
  private final long most; // pixels of one canvas or coded frame
  private final Map<Item, Long> measured = new HashMap<>();
  private final long size;
  private long decoded; // pixels of coded frames
  private int parts;
  private String excess;

  /** Adds up the work for an image. */
  HeifWork(HeifItems file, Item image) {
    this.file = file;
    size = claimed(image).min().orElse(0);
    most = Math.max(LEAST_PIXELS, 2 * Math.min(size, Integer.MAX_VALUE));
    excess = file.hostile();
    add(image, 0);
  }

  /** Returns the pixels of the image as its header claims, or 0 if it does not say. */
  long pixels() {
    return size;
  }

  /** Returns what would take more memory or time than the image's size suggests, or null. */
  String excess() {
    return excess;
  }

  private void add(Item item, int depth) {
    parts++;
    excess = excess != null ? excess
        : depth > DEEPEST ? "that is derived from too many images in turn"
        : parts > MOST_PARTS ? "of more than " + MOST_PARTS + " parts" : null;
    if (excess != null) {
      return;
    }
    boolean derived = item.type() != null && DERIVED.contains(item.type());
    Long own = measured.get(item);
    if (own == null) {
      own = Math.max(claimed(item).max().orElse(0), derived ? canvas(item) : frame(item));
      measured.put(item, own);
    }
    decoded += derived ? 0 : own;
    excess = own > most ? (derived ? "whose canvas is larger than the image" : "whose coded frame is larger than the image")
        : decoded > 3 * most ? "whose parts have more pixels than the image" : null;
    add(item.auxiliaries(), depth);
    if (derived) {
      add(item.parts(), depth);
    }
  }

  private void add(List<Integer> ids, int depth) {
    for (int id : ids) {
      Item part = file.item(id);
      if (part != null && excess == null) {
        add(part, depth + 1);
      }
    }
  }

  /** Returns the numbers of pixels that the item's header claims: more than one if it contradicts itself. */
  private LongStream claimed(Item item) {
    return item.properties().stream().filter(box -> box.type().equals("ispe")).map(file::content)
        .filter(content -> content.limit() >= 12).mapToLong(content -> pixels(content, 4, true));
  }

  /** Returns the pixels of the largest frame that an item's settings and data allow. */
  private long frame(Item item) {
    byte[] data = file.content(item, Integer.MAX_VALUE);
    long frame = "av01".equals(item.type()) ? pixels(Av1Sequence.of(data, 0)) : HevcSequence.inData(ByteBuffer.wrap(data));
    for (Box property : item.properties()) {
      ByteBuffer settings = file.content(property);
      if (property.type().equals("hvcC")) {
        frame = Math.max(frame, HevcSequence.inSettings(settings));
      } else if (property.type().equals("av1C")) {
        byte[] copy = new byte[settings.limit()];
        settings.get(0, copy);
        frame = Math.max(frame, pixels(Av1Sequence.of(copy, Math.min(SETTINGS, copy.length))));
      }
    }
    return frame;
  }

  private static long pixels(Av1Sequence sequence) {
    return sequence == null ? 0 : sequence.pixels();
  }

  private long canvas(Item item) {
    ByteBuffer content = ByteBuffer.wrap(file.content(item, CANVAS));
    boolean wide = content.limit() > 1 && (content.get(1) & 1) != 0;
    return item.type().equals("grid") ? pixels(content, 4, wide) : item.type().equals("iovl") ? pixels(content, 10, wide) : 0;
  }

  private static long pixels(ByteBuffer content, int at, boolean wide) {
    if (content.limit() < at + (wide ? 8 : 4)) {
      return 0;
    }
    long width = wide ? content.getInt(at) & 0xFFFFFFFFL : content.getShort(at) & 0xFFFF;
    long height = wide ? content.getInt(at + 4) & 0xFFFFFFFFL : content.getShort(at + 2) & 0xFFFF;
    return Math.multiplyHigh(width, height) > 0 || width * height < 0 ? Long.MAX_VALUE : width * height;
  }
}
