package dev.featx.source;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The members of a tar, and of tars that were appended to it, one after the other.
 *
 * <p>commons-compress decodes names before anybody sees their bytes, and reads a pax header of any size into memory.
 */
final class TarReader implements Closeable {
  private static final int BLOCK = TarHeader.BLOCK;
  private static final int MOST_METADATA = 1 << 20; // bytes of a pax header or a long name
  static final int MOST_PARTS = 100_000; // of a sparse member
  private static final String WITHOUT_CONTENT = "123456"; // links, devices, folders: whatever size the header has
  private static final String OF_BACKUPS = "ADEIMNV"; // of GNU and Solaris; unknown types are files

  private final PackedFile file;
  private final InputStream bytes;
  private boolean endMark;
  private long stored; // bytes of the member's content that are not read yet
  private int padding;
  private long size;
  private long[] parts = {};
  private long position;
  private int part;

  /**
   * A member.
   *
   * @param name its bytes, written as a key ({@link ImageKeys})
   * @param type a letter or digit
   * @param link what a link leads to, written as a key
   * @param size of its content in bytes
   * @param first whether it begins an archive
   */
  record Entry(String name, char type, String link, long size, boolean first) {
    boolean isRegular() {
      return WITHOUT_CONTENT.indexOf(type) < 0 && OF_BACKUPS.indexOf(type) < 0;
    }

    boolean isHardLink() {
      return type == '1';
    }

    boolean isSymbolicLink() {
      return type == '2';
    }

    boolean isFolder() {
      return type == '5' || type == '\0' && name.endsWith("/");
    }
  }

  TarReader(PackedFile file) throws IOException {
    this.file = file;
    this.bytes = PackedContent.bytes(file);
  }

  /**
   * Returns the next member, or null after the end mark of the last archive.
   *
   * @throws EOFException if the file ends before that
   */
  Entry next() throws IOException {
    bytes.skipNBytes(stored + padding);
    stored = 0;
    padding = 0;
    TarExtras extras = new TarExtras();
    boolean first = false;
    while (true) {
      byte[] block = bytes.readNBytes(BLOCK);
      if (block.length < BLOCK) {
        if (!endMark) {
          throw new EOFException("the archive has no end mark");
        }
        return null; // padding may be shorter than a block
      }
      if (TarHeader.isZero(block)) {
        endMark = true;
        continue;
      }
      if (!TarHeader.isHeader(block)) {
        throw new IOException(endMark ? "what follows the archive's end is not another archive" : "a member has no header");
      }
      first |= endMark;
      endMark = false;
      TarHeader header = TarHeader.of(block);
      switch (header.type()) {
        case 'x', 'X' -> extras.read(metadata(header));
        case 'g' -> skip(header.size()); // of all members, such as a commit's name
        case 'L' -> extras.name = withoutEnd(metadata(header));
        case 'K' -> extras.link = withoutEnd(metadata(header));
        default -> {
          return entry(header, extras, first);
        }
      }
    }
  }

  private Entry entry(TarHeader header, TarExtras extras, boolean first) throws IOException {
    stored = WITHOUT_CONTENT.indexOf(header.type()) >= 0 ? 0 : extras.size >= 0 ? extras.size : header.size();
    padding = padding(stored);
    parts = map(header, extras);
    size = parts.length == 0 ? stored : parts[parts.length - 1];
    position = 0;
    part = 0;
    String name = ImageKeys.of(extras.name == null ? header.name() : extras.name);
    return new Entry(name, header.type(), ImageKeys.of(extras.link == null ? header.link() : extras.link), size, first);
  }

  /** Returns the offset and length of each part of a sparse member, and at the end its size; nothing for others. */
  private long[] map(TarHeader header, TarExtras extras) throws IOException {
    List<Long> map = extras.sparseMap;
    long whole = extras.sparseSize;
    if (header.type() == 'S') {
      map = new ArrayList<>();
      whole = TarHeader.number(header.block(), 483, 12);
      addParts(map, header.block(), 386, 4);
      for (boolean more = header.block()[482] != 0; more;) {
        byte[] block = bytes.readNBytes(BLOCK);
        if (block.length < BLOCK) {
          throw new EOFException("the archive ends in a header");
        }
        addParts(map, block, 0, 21);
        more = block[504] != 0;
      }
    } else if (extras.mapInContent) {
      map = mapInContent();
    } else if (map == null) {
      return new long[0];
    }
    map.add(whole);
    checkMap(map);
    return map.stream().mapToLong(Long::longValue).toArray();
  }

  private void addParts(List<Long> map, byte[] block, int start, int count) throws IOException {
    for (int at = start; at < start + 24 * count && block[at] != 0; at += 24) {
      map.add(TarHeader.number(block, at, 12));
      map.add(TarHeader.number(block, at + 12, 12));
    }
    checkParts(map.size() / 2);
  }

  /** Reads lines of decimal numbers, in whole blocks: the number of parts, and each part's offset and length. */
  private List<Long> mapInContent() throws IOException {
    long before = stored;
    List<Long> map = new ArrayList<>();
    long numbers = 2 * checkParts(line());
    while (map.size() < numbers) {
      map.add(line());
    }
    int rest = padding(before - stored);
    if (rest > stored) {
      throw new IOException("a sparse member is damaged");
    }
    bytes.skipNBytes(rest);
    stored -= rest;
    return map;
  }

  private long line() throws IOException {
    byte[] digits = new byte[20];
    for (int i = 0; i < digits.length && stored > 0; i++) {
      int value = bytes.read();
      stored--;
      if (value == '\n') {
        return TarExtras.number(Arrays.copyOf(digits, i));
      }
      digits[i] = (byte) value;
    }
    throw new IOException("a sparse member is damaged");
  }

  private long checkParts(long count) {
    if (count > MOST_PARTS) {
      throw PackedContent.unsupported(file, "a sparse member has " + count + " parts, more than the limit, " + MOST_PARTS
          + "; pack it without");
    }
    return count;
  }

  private void checkMap(List<Long> map) throws IOException {
    checkParts(map.size() / 2);
    long end = 0;
    long sum = 0;
    for (int i = 0; i + 1 < map.size(); i += 2) {
      if (map.get(i) < end || map.get(i + 1) > Long.MAX_VALUE / 2 - map.get(i)) {
        throw new IOException("a sparse member is damaged");
      }
      end = map.get(i) + map.get(i + 1);
      sum += map.get(i + 1);
    }
    if (map.size() % 2 == 0 || map.get(map.size() - 1) < end || sum > stored) {
      throw new IOException("a sparse member is damaged");
    }
  }

  /**
   * Reads some of a member's content, from where it was read before.
   *
   * @param count at most; the array is smaller at the content's end
   * @throws EOFException if the file ends before
   */
  byte[] read(int count) throws IOException {
    byte[] content = new byte[(int) Math.min(count, size - position)];
    int done = 0;
    while (done < content.length) {
      int step = content.length - done;
      boolean hole = false;
      if (parts.length > 0) {
        while (part + 2 < parts.length && position >= parts[part] + parts[part + 1]) {
          part += 2;
        }
        boolean last = part + 2 >= parts.length && (part + 1 >= parts.length || position >= parts[part] + parts[part + 1]);
        hole = last || position < parts[part];
        long end = last ? size : hole ? parts[part] : parts[part] + parts[part + 1];
        step = (int) Math.min(step, end - position);
      }
      if (!hole) {
        if (bytes.readNBytes(content, done, step) < step) {
          throw new EOFException("the archive ends in a member");
        }
        stored -= step;
      }
      done += step;
      position += step;
    }
    return content;
  }

  private byte[] metadata(TarHeader header) throws IOException {
    if (header.size() > MOST_METADATA) {
      throw PackedContent.unsupported(file, "a name or pax header in it has " + header.size() + " bytes, more than the limit, "
          + MOST_METADATA + "; pack it again");
    }
    byte[] content = bytes.readNBytes((int) header.size());
    if (content.length < header.size()) {
      throw new EOFException("the archive ends in a header");
    }
    bytes.skipNBytes(padding(header.size()));
    return content;
  }

  private void skip(long count) throws IOException {
    bytes.skipNBytes(count);
    bytes.skipNBytes(padding(count));
  }

  private static byte[] withoutEnd(byte[] name) {
    return TarHeader.text(name, 0, name.length);
  }

  private static int padding(long size) {
    return (int) ((BLOCK - size % BLOCK) % BLOCK);
  }

  @Override
  public void close() throws IOException {
    bytes.close();
  }
}
