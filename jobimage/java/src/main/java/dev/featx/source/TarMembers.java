package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarUtils;

/**
 * Images in a tar archive, compressed or not, including those in archives that were appended to it.
 *
 * <p>An archive is read from its start, so the images that links lead to are read in a second pass, if there are links.
 */
final class TarMembers implements PackedImages.Members {
  private static final int BLOCK = 512;

  private final PackedFile file;
  private final MemberSelection selection;
  private final TarLinks links = new TarLinks();
  private final Deque<PackedImages.Member> pending = new ArrayDeque<>();
  private InputStream bytes;
  private Archive archive;
  private boolean resolvingLinks;
  private long place = -1;
  private int skipped;

  TarMembers(PackedFile file) throws IOException {
    this.file = file;
    this.selection = MemberSelection.of(file.settings());
    start();
  }

  private void start() throws IOException {
    bytes = PackedContent.bytes(file);
    archive = new Archive(bytes);
  }

  @Override
  public PackedImages.Member next() throws IOException {
    while (pending.isEmpty()) {
      TarArchiveEntry entry = archive.getNextTarEntry();
      if (entry != null) {
        take(entry);
      } else if (archive.hasEndMark() && startNextArchive()) {
        continue;
      } else if (!archive.hasEndMark()) {
        throw new EOFException("the archive has no end mark");
      } else if (!resolvingLinks && !links.isEmpty()) {
        resolvingLinks = true;
        links.resolve();
        bytes.close();
        start();
      } else {
        addDanglingLinks();
        return pending.poll();
      }
    }
    return pending.remove();
  }

  private void take(TarArchiveEntry entry) throws IOException {
    String name = entry.getName();
    if (resolvingLinks) {
      if (isRegular(entry)) {
        addTargetOf(name, entry);
      }
      return;
    }
    place++;
    if (entry.isDirectory()) {
      return;
    }
    if (MemberSelection.isHidden(name) || !(isRegular(entry) || entry.isLink() || entry.isSymbolicLink())) {
      skipped++;
    } else if (isRegular(entry)) {
      add(new TarLinks.Link(name, place), entry);
    } else {
      links.add(name, place, entry.getLinkName(), entry.isSymbolicLink());
    }
  }

  private void addTargetOf(String name, TarArchiveEntry entry) throws IOException {
    byte[] read = null;
    for (TarLinks.Link link : links.removeTo(name)) {
      read = read == null ? content(entry) : read;
      addContent(link, entry.getRealSize(), read);
    }
  }

  private void add(TarLinks.Link member, TarArchiveEntry entry) throws IOException {
    byte[] head = archive.readNBytes((int) Math.min(MemberSelection.HEAD, entry.getRealSize()));
    if (!selection.isImage(member.name(), head)) {
      skipped++;
      return;
    }
    pending.add(PackedImages.Member.of(member.name(), member.place(), rest(head, entry), entry.getRealSize()));
  }

  private void addContent(TarLinks.Link link, long size, byte[] content) {
    byte[] head = content == null ? new byte[0] : Arrays.copyOf(content, Math.min(content.length, MemberSelection.HEAD));
    if (selection.isImage(link.name(), head)) {
      pending.add(PackedImages.Member.of(link.name(), link.place(), content, size));
    } else {
      skipped++;
    }
  }

  private byte[] content(TarArchiveEntry entry) throws IOException {
    return rest(archive.readNBytes((int) Math.min(MemberSelection.HEAD, entry.getRealSize())), entry);
  }

  /** Returns a member's content, given its start, or null if it is too large. */
  private byte[] rest(byte[] head, TarArchiveEntry entry) throws IOException {
    if (entry.getRealSize() > file.maxBytes()) {
      return null;
    }
    byte[] content = Arrays.copyOf(head, (int) entry.getRealSize());
    if (head.length + archive.readNBytes(content, head.length, content.length - head.length) < content.length) {
      throw new EOFException("the archive ends in a member");
    }
    return content;
  }

  private void addDanglingLinks() {
    for (TarLinks.Link link : links.removeAll()) {
      if (selection.isNamedAsImage(link.name())) {
        pending.add(PackedImages.Member.failed(link.name(), link.place(), new ImageProblem(ImageProblem.Stage.READ,
            QuarantineReason.MISSING, "it is a link to a file that the archive does not contain; pack the file itself")));
      } else {
        skipped++;
      }
    }
  }

  /** Returns whether another archive follows the end of this one, after blocks of zeros, and starts it. */
  private boolean startNextArchive() throws IOException {
    byte[] block = new byte[BLOCK];
    while (true) {
      bytes.mark(BLOCK);
      int read = bytes.readNBytes(block, 0, BLOCK);
      if (read < BLOCK) {
        return false; // padding shorter than a block
      }
      if (!PackedContent.isZero(block)) {
        if (!PackedContent.isTarHeader(block)) {
          throw new IOException("what follows the archive's end is not another archive");
        }
        bytes.reset();
        archive = new Archive(bytes);
        return true;
      }
    }
  }

  private static boolean isRegular(TarArchiveEntry entry) {
    return entry.isFile() && !entry.isLink() && !entry.isSymbolicLink() && !entry.isCharacterDevice() && !entry.isBlockDevice()
        && !entry.isFIFO();
  }

  @Override
  public int skipped() {
    return skipped;
  }

  @Override
  public void close() throws IOException {
    bytes.close();
  }

  /** Knows whether an archive ended with its mark or was cut, and refuses headers that no memory holds. */
  private static final class Archive extends TarArchiveInputStream {
    private static final int TYPE = 156; // place of a header's type, and
    private static final int SIZE = 124; // of the size of what follows it,
    private static final int SIZE_LENGTH = 12; // in octal digits
    private static final String DESCRIBING = "LKxXg"; // types of what describes the next member: its name, its attributes
    private static final long MOST_DESCRIPTION = 1 << 20; // bytes; it is held in memory, and compresses a thousandfold

    private boolean endMark;

    Archive(InputStream bytes) {
      super(bytes, BLOCK, "UTF-8"); // records of one block: an archive that follows may start at any block
    }

    @Override
    protected boolean isEOFRecord(byte[] record) {
      endMark |= record != null && PackedContent.isZero(record);
      if (record != null && DESCRIBING.indexOf(record[TYPE]) >= 0
          && TarUtils.parseOctalOrBinary(record, SIZE, SIZE_LENGTH) > MOST_DESCRIPTION) {
        throw new IllegalArgumentException("a member's name or attributes have more than " + MOST_DESCRIPTION + " bytes");
      }
      return super.isEOFRecord(record);
    }

    boolean hasEndMark() {
      return endMark;
    }
  }
}
