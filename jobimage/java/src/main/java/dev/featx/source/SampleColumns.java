package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Columns that lie beside images as members of their own, as in WebDataset: {@code 000.jpg}, {@code 000.json}.
 *
 * <p>Consecutive members with one name up to the first dot are a sample, and what follows the dot names the column. A column
 * may come before or after its image, so images wait for the end of their sample.
 */
final class SampleColumns {
  private static final int MOST_IMAGES = 1000; // of a sample
  private static final long MOST_BYTES = 64 << 20; // of these images, beside the last one
  private static final Set<String> NUMBERS = Set.of("cls", "cls2", "class", "count", "index", "inx", "id"); // as WebDataset has them

  private final PackedFile file;
  private final Map<String, String> columns = new HashMap<>();
  private final ColumnNames names;
  private final Deque<Waiting> waiting = new ArrayDeque<>();
  private Sample sample = new Sample("");
  private long bytes;

  /** The columns of a sample, which are complete when it ends. */
  static final class Sample {
    private final String name;
    private final Map<String, String> values = new HashMap<>();
    private ImageProblem problem;

    private Sample(String name) {
      this.name = name;
    }

    /** Returns an image with the sample's columns. */
    PackedImages.Member complete(PackedImages.Member image) {
      return problem == null || image.problem() != null ? image.with(values)
          : PackedImages.Member.failed(image.name(), image.place(), problem);
    }
  }

  /** An image whose sample has not ended. */
  private record Waiting(PackedImages.Member image, Sample sample) {}

  SampleColumns(PackedFile file) {
    this.file = file;
    this.names = new ColumnNames(file.settings().carry());
    file.settings().carry().forEach(column -> columns.put(column.toLowerCase(Locale.ROOT), column));
  }

  /** Returns the columns that members are, whether they are carried or not. */
  ColumnNames names() {
    return names;
  }

  /** Adds the column of a member that is no image to the names. */
  void note(String member) {
    String column = columnOf(member);
    String ending = column == null ? endingOf(member) : column;
    if (!ending.isEmpty()) {
      names.add(ending);
    }
  }

  /** Returns the column that a member is, or null. */
  String columnOf(String member) {
    return columns.isEmpty() ? null : columns.get(endingOf(member).toLowerCase(Locale.ROOT));
  }

  /**
   * Begins with a member, which is the next one of the archive.
   *
   * @param ready receives the images of the sample before, if it has ended
   */
  Sample enter(String member, Deque<PackedImages.Member> ready) {
    String name = columns.isEmpty() ? "" : sampleOf(member);
    String column = columnOf(member);
    if (!name.equals(sample.name) || column != null && sample.values.containsKey(column)) {
      end(ready);
      sample = new Sample(name);
    }
    return sample;
  }

  /** Adds an image of the current sample. */
  void add(PackedImages.Member image, Deque<PackedImages.Member> ready) {
    if (columns.isEmpty()) {
      ready.add(image);
      return;
    }
    if (waiting.size() == MOST_IMAGES || bytes > MOST_BYTES) {
      throw PackedContent.unsupported(file, "the images named " + sample.name + " up to their first dot exceed the limit of a sample, "
          + MOST_IMAGES + " images and " + MOST_BYTES + " bytes; name them as WebDataset does, or remove spec.source.packed.carry");
    }
    bytes += image.bytes() == null ? 0 : image.bytes().length;
    waiting.add(new Waiting(image, sample));
  }

  /**
   * Adds a column of the current sample.
   *
   * @param content its bytes, or null if they are too many
   */
  void add(String column, byte[] content, long size) {
    if (content == null) {
      sample.problem = new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.TOO_LARGE, "its column " + column + " is " + size
          + " bytes, limit " + PackedImages.LONGEST_VALUE + "; remove it from spec.source.packed.carry");
      return;
    }
    String text = new String(content, StandardCharsets.UTF_8);
    sample.values.put(column, NUMBERS.contains(column.toLowerCase(Locale.ROOT)) ? text.strip() : text);
  }

  /** Returns whether no columns are carried. */
  boolean isEmpty() {
    return columns.isEmpty();
  }

  /** Adds a column of the current sample that cannot be read. */
  void add(ImageProblem problem) {
    sample.problem = problem;
  }

  /** Ends the current sample. */
  void end(Deque<PackedImages.Member> ready) {
    waiting.forEach(image -> ready.add(image.sample.complete(image.image)));
    waiting.clear();
    bytes = 0;
    sample = new Sample("");
  }

  /** Returns whether images wait for the end of their sample. */
  boolean isWaiting() {
    return !waiting.isEmpty();
  }

  /** Returns the name of a member's sample. */
  static String sampleOf(String member) {
    return member.substring(0, endOfName(member));
  }

  private static String endingOf(String member) {
    return member.substring(Math.min(member.length(), endOfName(member) + 1));
  }

  private static int endOfName(String member) {
    int dot = member.indexOf('.', member.lastIndexOf('/') + 1);
    return dot < 0 ? member.length() : dot;
  }
}
