package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import dev.featx.image.Signature;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import org.apache.commons.compress.archivers.zip.UnicodePathExtraField;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipArchiveInputStream;
import org.apache.commons.compress.archivers.zip.ZipFile;
import org.apache.commons.io.input.ProxyInputStream;
import org.apache.hadoop.fs.FSDataInputStream;

/**
 * Images in a zip archive, in the order in which they are stored.
 *
 * <p>An archive's directory is at its end. If that is damaged or missing, or too large for the heap, its members are read one
 * after the other, as far as they go.
 */
final class ZipMembers extends ArchiveMembers {
  private static final String NAMES = "UTF-8"; // for commons-compress; keys are made of the bytes
  private static final long MOST_DIRECTORY = 32 << 20; // bytes; in the heap it takes ten times as many
  private static final int LONGEST_LINK = 4096;
  private static final int BUFFER = 1 << 20;
  private static final int LONGEST_END = 22 + 0xFFFF; // bytes, with a comment

  private final ZipFile zip;
  private final Enumeration<ZipArchiveEntry> entries;
  private final BoundedStream bounded;
  private final ZipArchiveInputStream sequential;
  private final Map<String, ZipArchiveEntry> byName = new HashMap<>();
  private final Map<String, Map<String, ZipArchiveEntry>> columnsBySample = new HashMap<>();
  private SampleColumns.Sample filled;
  private boolean large;
  private long place = -1;

  ZipMembers(PackedFile file) throws IOException {
    super(file);
    this.zip = directory();
    this.entries = zip == null ? Collections.emptyEnumeration() : zip.getEntriesInPhysicalOrder();
    this.bounded = zip != null ? null : new BoundedStream(new BufferedInputStream(file.open(), BUFFER));
    this.sequential = zip != null ? null : new ZipArchiveInputStream(bounded, NAMES, true, true);
    if (zip != null && !columns.isEmpty()) {
      Collections.list(zip.getEntries()).forEach(this::addColumn);
    }
  }

  /** Returns whether a file named .zip ends like one: what is before its first member does not matter. */
  static boolean hasEnd(PackedFile file) throws IOException {
    if (!file.key().toLowerCase(Locale.ROOT).endsWith(".zip")) {
      return false;
    }
    byte[] end = new byte[(int) Math.min(file.getLength(), LONGEST_END)];
    try (FSDataInputStream stream = file.open()) {
      stream.seek(file.getLength() - end.length);
      stream.readFully(end);
    }
    return new String(end, StandardCharsets.ISO_8859_1).contains("PK\5\6");
  }

  /** Finds columns by the directory: zip stores the files of a folder in the order in which the system lists them. */
  private void addColumn(ZipArchiveEntry entry) {
    String name = nameOf(entry);
    String column = columns.columnOf(name);
    if (!entry.isDirectory() && !HiddenFiles.isHidden(name) && !selection.isNamedAsImage(name)) {
      columns.note(name);
    }
    if (column != null && !entry.isDirectory()) {
      columnsBySample.computeIfAbsent(SampleColumns.sampleOf(name), sample -> new HashMap<>(2)).putIfAbsent(column, entry);
    }
  }

  /** Opens the archive by its directory; null if that is damaged, missing or too large. */
  private ZipFile directory() throws IOException {
    ZipChannel channel = new ZipChannel(file.open(), file.getLength());
    channel.limit(MOST_DIRECTORY);
    try {
      ZipFile opened = new ZipFile(channel, file.key(), NAMES, true, true);
      channel.limit(Long.MAX_VALUE);
      return opened;
    } catch (IOException | RuntimeException e) {
      large = channel.isLimitReached();
      channel.close();
      if (file.storeFailure() != null) {
        throw e;
      }
      return null;
    }
  }

  @Override
  boolean advance() throws IOException {
    ZipArchiveEntry entry = sequential != null ? nextInSequence() : entries.hasMoreElements() ? entries.nextElement() : null;
    if (entry == null) {
      if (sequential != null && !large) {
        throw new EOFException("the archive's directory is missing");
      }
      return false;
    }
    place++;
    if (!entry.isDirectory()) {
      String name = nameOf(entry);
      if (HiddenFiles.isHidden(name)) {
        skip();
      } else {
        take(name, entry);
      }
    }
    return true;
  }

  private ZipArchiveEntry nextInSequence() throws IOException {
    ZipArchiveEntry entry = sequential.getNextZipEntry();
    boolean ofUnknownSize = entry != null && entry.getMethod() == ZipEntry.STORED && entry.getGeneralPurposeBit().usesDataDescriptor();
    bounded.remaining = ofUnknownSize ? Math.max(file.maxBytes(), PackedImages.LONGEST_VALUE) + BUFFER : Long.MAX_VALUE;
    return entry;
  }

  /** A limit for members that are stored without their size: their end is searched, and all before it is in memory. */
  private final class BoundedStream extends ProxyInputStream {
    private long remaining = Long.MAX_VALUE;

    BoundedStream(InputStream stream) {
      super(stream);
    }

    @Override
    protected void afterRead(int read) {
      remaining -= Math.max(0, read);
      if (remaining < 0) {
        throw PackedContent.unsupported(file, "it has no readable directory, and a member of unknown size exceeds the limit, "
            + file.maxBytes() + " bytes; pack it again");
      }
    }
  }

  /** Returns a member's name, written as a key: nobody knows the encoding of a name that is not said to be UTF-8. */
  static String nameOf(ZipArchiveEntry entry) {
    byte[] raw = entry.getRawName();
    if (!entry.getGeneralPurposeBit().usesUTF8ForNames()
        && entry.getExtraField(UnicodePathExtraField.UPATH_ID) instanceof UnicodePathExtraField unicode
        && unicode.getNameCRC32() == checksum(raw)) {
      return ImageKeys.of(unicode.getUnicodeName());
    }
    return ImageKeys.of(raw);
  }

  private void take(String name, ZipArchiveEntry entry) throws IOException {
    if (zip == null) {
      columns.enter(name, ready);
      take(name, entry, sequential);
      return;
    }
    try {
      ZipArchiveEntry target = targetOf(name, entry);
      if (target == null) {
        fail(name, QuarantineReason.MISSING, "it is a link to a file that the archive does not contain; pack the file itself");
      } else if (!zip.canReadEntryData(target)) {
        fail(name, QuarantineReason.UNSUPPORTED, "it is encrypted, or compressed by a method that is not read here; pack it without");
      } else {
        try (InputStream content = zip.getInputStream(target)) {
          take(name, target, content);
        }
      }
    } catch (IOException | RuntimeException e) {
      if (file.storeFailure() != null) {
        throw e;
      }
      fail(name, QuarantineReason.DAMAGED, "its compressed bytes are damaged; pack it again");
    }
  }

  /** Returns the member at the end of a chain of links, or null if the archive lacks it. */
  private ZipArchiveEntry targetOf(String name, ZipArchiveEntry entry) throws IOException {
    if (!entry.isUnixSymlink()) {
      return entry;
    }
    if (byName.isEmpty()) {
      Collections.list(zip.getEntries()).forEach(one -> byName.put(LinkPaths.normalized(nameOf(one)), one));
    }
    ZipArchiveEntry target = byName.get(LinkPaths.follow(name, this::linkAt));
    return target == null || target.isDirectory() ? null : target;
  }

  private LinkPaths.Target linkAt(String path) throws IOException {
    ZipArchiveEntry entry = byName.get(path);
    if (entry == null || !entry.isUnixSymlink()) {
      return null;
    }
    try (InputStream content = zip.getInputStream(entry)) {
      return new LinkPaths.Target(ImageKeys.of(content.readNBytes(LONGEST_LINK)), false);
    }
  }

  private void take(String name, ZipArchiveEntry entry, InputStream content) throws IOException {
    byte[] head = content.readNBytes(Signature.LENGTH);
    String column = columns.columnOf(name);
    boolean image = selection.isImage(name, head);
    if (!image) {
      columns.note(name);
    }
    if (!image && column == null) {
      skip();
      return;
    }
    if (!image && zip != null) {
      return; // read with its image
    }
    long limit = image ? file.maxBytes() : PackedImages.LONGEST_VALUE;
    byte[] rest = content.readNBytes((int) Math.min(Integer.MAX_VALUE - 16, limit + 1));
    byte[] bytes = Arrays.copyOf(head, head.length + rest.length);
    System.arraycopy(rest, 0, bytes, head.length, rest.length);
    if (bytes.length > limit) {
      long size = Math.max(bytes.length, entry.getSize());
      if (image) {
        add(PackedImages.Member.of(name, place, null, size));
      } else {
        columns.add(column, null, size);
      }
    } else if (entry.getCrc() >= 0 && entry.getCrc() != checksum(bytes)) {
      fail(name, QuarantineReason.DAMAGED, "its bytes do not have the archive's checksum; pack it again");
    } else if (image) {
      add(PackedImages.Member.of(name, place, bytes, bytes.length));
    } else {
      columns.add(column, bytes, bytes.length);
    }
  }

  private static long checksum(byte[] bytes) {
    CRC32 checksum = new CRC32();
    checksum.update(bytes);
    return checksum.getValue();
  }

  private void fail(String name, QuarantineReason reason, String message) throws IOException {
    if (selection.isNamedAsImage(name)) {
      add(PackedImages.Member.failed(name, place, new ImageProblem(ImageProblem.Stage.READ, reason, message)));
    } else if (columns.columnOf(name) == null) {
      skip();
    } else if (zip == null) {
      columns.add(problemOf(columns.columnOf(name)));
    }
  }

  private void add(PackedImages.Member image) throws IOException {
    if (zip == null || columns.isEmpty()) {
      columns.add(image, ready);
      return;
    }
    SampleColumns.Sample sample = columns.enter(image.name(), ready);
    if (sample != filled) {
      filled = sample;
      for (Map.Entry<String, ZipArchiveEntry> column : columnsBySample.getOrDefault(SampleColumns.sampleOf(image.name()), Map.of())
          .entrySet()) {
        addColumn(column.getKey(), column.getValue());
      }
    }
    ready.add(sample.complete(image));
  }

  private void addColumn(String column, ZipArchiveEntry entry) throws IOException {
    try (InputStream content = zip.getInputStream(entry)) {
      byte[] bytes = content.readNBytes(PackedImages.LONGEST_VALUE + 1);
      if (bytes.length > PackedImages.LONGEST_VALUE) {
        columns.add(column, null, Math.max(bytes.length, entry.getSize()));
      } else if (entry.getCrc() != checksum(bytes)) {
        columns.add(problemOf(column));
      } else {
        columns.add(column, bytes, bytes.length);
      }
    } catch (IOException | RuntimeException e) {
      if (file.storeFailure() != null) {
        throw e;
      }
      columns.add(problemOf(column));
    }
  }

  private static ImageProblem problemOf(String column) {
    return new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.DAMAGED,
        "its column " + column + " is damaged; pack it again, or remove it from spec.source.packed.carry");
  }

  @Override
  public void close() throws IOException {
    if (zip != null) {
      zip.close();
    } else {
      sequential.close();
    }
  }
}
