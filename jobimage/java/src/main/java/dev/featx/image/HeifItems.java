package dev.featx.image;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;

/**
 * The boxes of a HEIF file, and the items that its meta box describes (ISO/IEC 14496-12 and 23008-12).
 *
 * <p>Decoders differ in which of two contradicting entries they believe, so that a file with such is {@link #hostile}.
 */
final class HeifItems {
  private static final int MOST_BOXES = 100_000;
  private static final int MOST_ENTRIES = 500_000; // of all lists together: some entries take no byte of the file
  private static final long LEAST_BYTES = 1 << 26; // that items may hold together

  private final ByteBuffer data;
  private final List<Box> top;
  private final Map<Integer, Item> items = new HashMap<>();
  private final List<Box> meta;
  private List<Box> properties = List.of();
  private int primary = -1;
  private int entries;
  private String hostile;

  /** A box of the file, whose content is from start to end. */
  record Box(String type, int at, int start, int end) {}

  /** A part of the file, from start to end. */
  record Extent(long start, long end) {}

  /** An item: an image that is coded, or derived from others. */
  static final class Item {
    private final List<Box> properties = new ArrayList<>();
    private final List<Integer> parts = new ArrayList<>(); // items from which it is derived
    private final List<Integer> auxiliaries = new ArrayList<>();
    private final List<Extent> extents = new ArrayList<>();
    private String type;
    private boolean premultiplied;

    /** Returns four characters that name how it is coded or derived, or null if the file does not say. */
    String type() {
      return type;
    }

    List<Integer> parts() {
      return parts;
    }

    List<Integer> auxiliaries() {
      return auxiliaries;
    }

    boolean isPremultiplied() {
      return premultiplied;
    }

    List<Box> properties() {
      return properties;
    }

    Box property(String name) {
      return first(properties, name);
    }

    /** Returns the number of bytes of its data. */
    long size() {
      return extents.stream().mapToLong(extent -> extent.end - extent.start).sum();
    }
  }

  private HeifItems(ByteBuffer data) {
    this.data = data;
    top = boxes(0, data.capacity());
    Box box = only(top, "meta");
    meta = box == null ? List.of() : boxes(box.start + 4, box.end);
  }

  /** Reads the boxes; what is damaged is missing. */
  static HeifItems of(byte[] bytes) {
    HeifItems file = new HeifItems(ByteBuffer.wrap(bytes));
    file.read("pitm", box -> file.primary = file.number(box.start + 4, file.data.get(box.start) > 0));
    file.read("iinf", file::readTypes);
    file.read("iref", file::readReferences);
    file.read("iprp", file::readProperties);
    file.read("iloc", file::readLocations);
    file.checkSizes();
    return file;
  }

  List<Box> top() {
    return top;
  }

  /** Returns the properties of all items. */
  List<Box> properties() {
    return properties;
  }

  /** Returns why a decoder should not see the file, or null. */
  String hostile() {
    return hostile;
  }

  /** Returns an item, or null. */
  Item item(int id) {
    return items.get(id);
  }

  /** Returns the item that the file is about, or null. */
  Item primary() {
    return items.get(primary);
  }

  /** Returns an item's first bytes. */
  byte[] content(Item item, int most) {
    ByteBuffer content = ByteBuffer.allocate((int) Math.min(most, item.size()));
    for (Extent extent : item.extents) {
      content.put(data.array(), (int) extent.start, (int) Math.min(content.remaining(), extent.end - extent.start));
    }
    return content.array();
  }

  /** Returns the bytes of a box. */
  ByteBuffer content(Box box) {
    return data.slice(box.start, box.end - box.start);
  }

  /** Reads a part of a box. */
  private interface Part {
    void read(Box box);
  }

  private void read(String type, Part part) {
    Box box = only(meta, type);
    if (box != null) {
      try {
        part.read(box);
      } catch (IndexOutOfBoundsException e) {
        return; // the rest is missing, and the decoder finds that
      }
    }
  }

  private List<Box> boxes(int start, int end) {
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

  private Box only(List<Box> boxes, String type) {
    if (boxes.stream().filter(box -> box.type.equals(type)).count() > 1) {
      hostile = "with more than one " + type + " box";
    }
    return first(boxes, type);
  }

  private boolean isFull() {
    if (++entries > MOST_ENTRIES) {
      hostile = "with more than " + MOST_ENTRIES + " entries";
    }
    return entries > MOST_ENTRIES;
  }

  /** Items may share bytes, but an item cannot hold more than the file. */
  private void checkSizes() {
    long total = 0;
    for (Item item : items.values()) {
      total += item.size();
      if (item.size() > data.capacity() || total > Math.max(LEAST_BYTES, 4L * data.capacity())) {
        hostile = "whose items hold more bytes than the file";
      }
    }
  }

  private static Box first(List<Box> boxes, String type) {
    return boxes.stream().filter(box -> box.type.equals(type)).findFirst().orElse(null);
  }

  private String text(int at) {
    byte[] name = new byte[4];
    data.get(at, name);
    return new String(name, StandardCharsets.ISO_8859_1);
  }

  private int number(int at, boolean wide) {
    return wide ? data.getInt(at) : data.getShort(at) & 0xFFFF;
  }

  private Item stored(int id) {
    return items.computeIfAbsent(id, any -> new Item());
  }

  private void readTypes(Box list) {
    for (Box entry : boxes(list.start + (data.get(list.start) > 0 ? 8 : 6), list.end)) {
      boolean wide = data.get(entry.start) > 2;
      if (entry.type.equals("infe") && data.get(entry.start) > 1) {
        int id = number(entry.start + 4, wide);
        hostile = stored(id).type == null ? hostile : "with two items of number " + id;
        stored(id).type = text(entry.start + (wide ? 10 : 8));
      }
    }
  }

  private void readReferences(Box list) {
    boolean wide = data.get(list.start) > 0;
    int size = wide ? 4 : 2;
    for (Box reference : boxes(list.start + 4, list.end)) {
      int from = number(reference.start, wide);
      int count = data.getShort(reference.start + size) & 0xFFFF;
      for (int at = reference.start + size + 2; count > 0 && at + size <= reference.end && !isFull(); at += size, count--) {
        int to = number(at, wide);
        if (reference.type.equals("dimg")) {
          stored(from).parts.add(to);
        } else if (reference.type.equals("auxl")) {
          stored(to).auxiliaries.add(from);
        } else if (reference.type.equals("prem")) {
          stored(from).premultiplied = true;
        }
      }
    }
  }

  private void readProperties(Box list) {
    List<Box> parts = boxes(list.start, list.end);
    Box container = only(parts, "ipco");
    properties = container == null ? List.of() : boxes(container.start, container.end);
    for (Box association : parts) {
      if (association.type.equals("ipma")) {
        readAssociations(association);
      }
    }
  }

  private void readAssociations(Box association) {
    boolean wideItem = data.get(association.start) > 0;
    boolean wideIndex = (data.get(association.start + 3) & 1) != 0;
    int at = association.start + 8;
    for (int entries = data.getInt(association.start + 4); entries > 0 && at < association.end; entries--) {
      Item item = stored(number(at, wideItem));
      at += wideItem ? 4 : 2;
      int count = data.get(at++) & 0xFF;
      for (int i = 0; i < count && !isFull(); i++, at += wideIndex ? 2 : 1) {
        int index = wideIndex ? data.getShort(at) & 0x7FFF : data.get(at) & 0x7F;
        if (index > 0 && index <= properties.size()) {
          item.properties.add(properties.get(index - 1));
        }
      }
    }
  }

  private void readLocations(Box list) {
    int version = data.get(list.start);
    int sizes = data.getShort(list.start + 4) & 0xFFFF;
    int indexSize = version > 0 ? sizes & 0xF : 0;
    int[] at = {list.start + 6};
    IntConsumer skip = size -> at[0] += size;
    int count = number(at[0], version > 1);
    skip.accept(version > 1 ? 4 : 2);
    Box own = first(meta, "idat");
    for (; count > 0 && at[0] < list.end; count--) {
      Item item = stored(number(at[0], version > 1));
      skip.accept(version > 1 ? 4 : 2);
      int method = version > 0 ? data.getShort(at[0]) & 0xF : 0;
      skip.accept((version > 0 ? 2 : 0) + 2);
      long base = unsigned(at, sizes >> 4 & 0xF);
      int extents = data.getShort(at[0]) & 0xFFFF;
      skip.accept(2);
      long origin = base + (method == 1 && own != null ? own.start : 0);
      for (; extents > 0 && at[0] < list.end && !isFull(); extents--) {
        skip.accept(indexSize);
        long start = origin + unsigned(at, sizes >> 12);
        long length = unsigned(at, sizes >> 8 & 0xF);
        long end = length == 0 ? data.capacity() : start + length;
        if (method <= 1 && start >= 0 && start < end) {
          item.extents.add(new Extent(Math.min(start, data.capacity()), Math.min(end, data.capacity())));
        }
      }
    }
  }

  /** Reads a number of 0, 4 or 8 bytes, and moves the position behind it. */
  private long unsigned(int[] at, int size) {
    int position = at[0];
    at[0] += size;
    return size == 8 ? data.getLong(position) : size == 4 ? data.getInt(position) & 0xFFFFFFFFL : 0;
  }
}
