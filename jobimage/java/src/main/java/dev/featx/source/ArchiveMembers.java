package dev.featx.source;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;

/** Images in an archive, with what is carried from the members beside them. */
abstract class ArchiveMembers implements PackedImages.Members {
  /** The archive. */
  final PackedFile file;
  /** Which members are images. */
  final MemberSelection selection;
  /** What is carried. */
  final SampleColumns columns;
  /** Images that are complete. */
  final Deque<PackedImages.Member> ready = new ArrayDeque<>();

  private Exception failure;
  private int skipped;

  ArchiveMembers(PackedFile file) {
    this.file = file;
    this.selection = MemberSelection.of(file.settings());
    this.columns = new SampleColumns(file);
  }

  /**
   * Takes the next member.
   *
   * @return whether there was one
   * @throws IOException if the file is damaged, or its store fails
   */
  abstract boolean advance() throws IOException;

  /** The images before a damage are returned before it is thrown. */
  @Override
  public final PackedImages.Member next() throws IOException {
    while (ready.isEmpty()) {
      rethrow();
      try {
        if (!advance()) {
          columns.end(ready);
          return ready.poll();
        }
      } catch (IOException | RuntimeException e) {
        if (!columns.isWaiting() || file.storeFailure() != null) {
          throw e;
        }
        failure = e;
        columns.end(ready);
      }
    }
    return ready.remove();
  }

  private void rethrow() throws IOException {
    if (failure instanceof IOException damaged) {
      throw damaged;
    }
    if (failure instanceof RuntimeException refused) {
      throw refused;
    }
  }

  @Override
  public final ColumnNames columns() {
    return columns.names();
  }

  /** Counts a member that is not an image. */
  final void skip() {
    skipped++;
  }

  @Override
  public final int skipped() {
    return skipped;
  }
}
