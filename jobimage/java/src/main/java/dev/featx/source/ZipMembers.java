package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Enumeration;
import java.util.zip.CRC32;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipArchiveInputStream;
import org.apache.commons.compress.archivers.zip.ZipFile;

/**
 * Images in a zip archive, in the order in which they are stored.
 *
 * <p>An archive's directory is at its end. If that is damaged or missing, its members are read one after the other, as far as
 * they go.
 */
final class ZipMembers implements PackedImages.Members {
  private static final String NAMES = "UTF-8";
  private static final int MOST_LINKS = 40; // as many as Linux follows

  private final PackedFile file;
  private final MemberSelection selection;
  private final ZipFile zip;
  private final Enumeration<ZipArchiveEntry> entries;
  private final ZipArchiveInputStream sequential;
  private long place = -1;
  private int skipped;

  ZipMembers(PackedFile file) throws IOException {
    this.file = file;
    this.selection = MemberSelection.of(file.settings());
    this.zip = directory();
    this.entries = zip == null ? null : zip.getEntriesInPhysicalOrder();
    this.sequential =
        zip != null ? null : new ZipArchiveInputStream(new BufferedInputStream(file.open(), 1 << 20), NAMES, true, false);
  }

  /** Opens the archive by its directory; null if that is damaged or missing. */
  private ZipFile directory() throws IOException {
    ZipChannel channel = new ZipChannel(file.open(), file.getLength());
    try {
      return new ZipFile(channel, file.key(), NAMES, true, true);
    } catch (IOException | RuntimeException e) {
      channel.close();
      if (file.storeFailure() != null) {
        throw e;
      }
      return null;
    }
  }

  @Override
  public PackedImages.Member next() throws IOException {
    while (true) {
      if (zip != null && !entries.hasMoreElements()) {
        return null;
      }
      ZipArchiveEntry entry = zip != null ? entries.nextElement() : sequential.getNextZipEntry();
      if (entry == null) {
        throw new EOFException("the archive's directory is missing");
      }
      place++;
      if (!entry.isDirectory()) {
        PackedImages.Member member = MemberSelection.isHidden(entry.getName()) ? null : member(entry);
        if (member != null) {
          return member;
        }
        skipped++;
      }
    }
  }

  /** Returns a member, or null if it is not an image. */
  private PackedImages.Member member(ZipArchiveEntry entry) throws IOException {
    if (zip == null) {
      return read(entry, entry, sequential);
    }
    ZipArchiveEntry target = entry;
    try {
      for (int i = 0; i < MOST_LINKS && target != null && target.isUnixSymlink(); i++) {
        target = zip.getEntry(TarLinks.resolved(target.getName(), zip.getUnixSymlink(target)));
      }
      if (target == null || target.isUnixSymlink()) {
        return failed(entry, QuarantineReason.MISSING,
            "it is a link to a file that the archive does not contain; pack the file itself");
      }
      if (!zip.canReadEntryData(target)) {
        return failed(entry, QuarantineReason.UNSUPPORTED,
            "it is encrypted, or compressed by a method that is not read here; pack it without");
      }
      try (InputStream content = zip.getInputStream(target)) {
        return read(entry, target, content);
      }
    } catch (IOException | RuntimeException e) {
      if (file.storeFailure() != null) {
        throw e;
      }
      return failed(entry, QuarantineReason.DAMAGED, "its compressed bytes are damaged; pack it again");
    }
  }

  private PackedImages.Member read(ZipArchiveEntry entry, ZipArchiveEntry target, InputStream content) throws IOException {
    byte[] head = content.readNBytes(MemberSelection.HEAD);
    if (!selection.isImage(entry.getName(), head)) {
      return null;
    }
    byte[] rest = content.readNBytes((int) Math.min(Integer.MAX_VALUE - 16, file.maxBytes() + 1));
    long size = head.length + (long) rest.length;
    if (size > file.maxBytes()) {
      return PackedImages.Member.of(entry.getName(), place, null, Math.max(size, target.getSize()));
    }
    byte[] bytes = Arrays.copyOf(head, (int) size);
    System.arraycopy(rest, 0, bytes, head.length, rest.length);
    CRC32 checksum = new CRC32();
    checksum.update(bytes);
    if (zip != null && target.getCrc() != checksum.getValue()) {
      return failed(entry, QuarantineReason.DAMAGED, "its bytes do not have the archive's checksum; pack it again");
    }
    return PackedImages.Member.of(entry.getName(), place, bytes, size);
  }

  private PackedImages.Member failed(ZipArchiveEntry entry, QuarantineReason reason, String message) {
    return !selection.isNamedAsImage(entry.getName()) ? null
        : PackedImages.Member.failed(entry.getName(), place, new ImageProblem(ImageProblem.Stage.READ, reason, message));
  }

  @Override
  public int skipped() {
    return skipped;
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
