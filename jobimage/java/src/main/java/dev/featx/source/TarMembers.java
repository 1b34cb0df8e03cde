package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import dev.featx.image.Signature;
import java.io.IOException;
import java.util.Arrays;

/**
 * Images in a tar archive, compressed or not, including those in archives that were appended to it.
 *
 * <p>An archive is read from its start, so the images that links lead to are read in a second pass, if there are links.
 */
final class TarMembers extends ArchiveMembers {
  private final TarLinks links;
  private TarReader archive;
  private boolean resolvingLinks;
  private long place = -1;

  TarMembers(PackedFile file) throws IOException {
    super(file);
    this.links = new TarLinks(file);
    this.archive = new TarReader(file);
  }

  @Override
  boolean advance() throws IOException {
    TarReader.Entry entry = archive.next();
    if (entry != null) {
      if (!resolvingLinks) {
        take(entry);
      } else if (entry.isRegular()) {
        addTargetOf(entry);
      }
      return true;
    }
    columns.end(ready);
    if (!resolvingLinks && !links.isEmpty()) {
      resolvingLinks = true;
      links.resolve();
      archive.close();
      archive = new TarReader(file);
      return true;
    }
    addDanglingLinks();
    return false;
  }

  private void take(TarReader.Entry entry) throws IOException {
    place++;
    if (entry.first()) {
      columns.end(ready);
    }
    if (entry.isFolder()) {
      return;
    }
    if (HiddenFiles.isHidden(entry.name()) || !(entry.isRegular() || entry.isHardLink() || entry.isSymbolicLink())) {
      skip();
      return;
    }
    SampleColumns.Sample sample = columns.enter(entry.name(), ready);
    if (entry.isRegular()) {
      add(entry);
    } else {
      links.add(new TarLinks.Link(entry.name(), place, sample), entry.link(), entry.isSymbolicLink());
    }
  }

  private void add(TarReader.Entry entry) throws IOException {
    byte[] head = archive.read(Signature.LENGTH);
    String column = columns.columnOf(entry.name());
    if (selection.isImage(entry.name(), head)) {
      columns.add(PackedImages.Member.of(entry.name(), place, rest(head, entry, file.maxBytes()), entry.size()), ready);
      return;
    }
    columns.note(entry.name());
    if (column != null) {
      columns.add(column, rest(head, entry, PackedImages.LONGEST_VALUE), entry.size());
    } else {
      skip();
    }
  }

  private void addTargetOf(TarReader.Entry entry) throws IOException {
    byte[] head = null;
    byte[] content = null;
    for (TarLinks.Link link : links.removeTo(entry.name())) {
      if (head == null) {
        head = archive.read(Signature.LENGTH);
        content = rest(head, entry, file.maxBytes());
      }
      if (selection.isImage(link.name(), head)) {
        ready.add(link.sample().complete(PackedImages.Member.of(link.name(), link.place(), content, entry.size())));
      } else {
        skip();
      }
    }
  }

  /** Returns a member's content, given its start, or null if it is too large. */
  private byte[] rest(byte[] head, TarReader.Entry entry, long limit) throws IOException {
    if (entry.size() > limit) {
      return null;
    }
    byte[] rest = archive.read((int) entry.size());
    byte[] content = Arrays.copyOf(head, head.length + rest.length);
    System.arraycopy(rest, 0, content, head.length, rest.length);
    return content;
  }

  private void addDanglingLinks() {
    for (TarLinks.Link link : links.removeAll()) {
      if (selection.isNamedAsImage(link.name())) {
        ready.add(PackedImages.Member.failed(link.name(), link.place(), new ImageProblem(ImageProblem.Stage.READ,
            QuarantineReason.MISSING, "it is a link to a file that the archive does not contain; pack the file itself")));
      } else {
        skip();
      }
    }
  }

  @Override
  public void close() throws IOException {
    archive.close();
  }
}
