package dev.featx.source;

import dev.featx.failure.Failures;
import dev.featx.failure.QuarantineReason;
import dev.featx.failure.RunProblem;
import dev.featx.image.ImageProblem;
import java.io.Closeable;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Images packed into archives, SequenceFiles or Parquet files, which are read sequentially.
 *
 * <p>A file that cannot be read, or not to its end, is a row of the quarantine, beside the rows of the images before.
 *
 * @param files in the order of the rows
 * @param settings how to read them
 * @param section which rows of each file
 * @param keys of the images to read; a file's own key stands for all of it. Empty for all images
 */
record PackedImages(List<StoredObjects.StoredObject> files, PackedSettings settings, PackedSection section, List<String> keys)
    implements Images.Part {
  private static final Logger LOG = LoggerFactory.getLogger(PackedImages.class);
  private static final int MOST_IMAGES = 1_000_000; // of a file, which one task processes
  private static final int MOST_URLS = 10_000_000; // of a file, which many tasks share; each has 8 to 16 bytes per name in memory
  /** Most characters of a value that is carried into the table. */
  static final int LONGEST_VALUE = 1 << 20;

  private static final int LONGEST_NAME = 4096; // bytes, as of paths in Linux

  /** Iterates over the images of a file. */
  interface Members extends Closeable {
    /**
     * Returns the next image, or null after the last one.
     *
     * @throws RunProblem SourceNotSupported, if the file's content is not what the resource says
     * @throws IOException if the file is damaged, or its store fails
     */
    Member next() throws IOException;

    /** Returns how many members there are, or -1 if that is unknown before they are read. */
    default long count() {
      return -1;
    }

    /** Returns the names of the columns that are known so far; empty if there are none. */
    default ColumnNames columns() {
      return new ColumnNames(List.of());
    }

    /** Returns the number of members so far that are not images. */
    default int skipped() {
      return 0;
    }
  }

  /**
   * An image within a file.
   *
   * @param name within the file, written as a key ({@link ImageKeys}); empty if it has none
   * @param place among the file's members, from 0
   * @param bytes its content, or null if it exceeds the limit or has a problem
   * @param size in bytes
   * @param problem why it cannot be read, or null
   * @param carried values of other columns
   */
  record Member(String name, long place, byte[] bytes, long size, ImageProblem problem, Map<String, String> carried) {
    static Member of(String name, long place, byte[] bytes, long size) {
      return new Member(name, place, bytes, size, null, Map.of());
    }

    static Member failed(String name, long place, ImageProblem problem) {
      return new Member(name, place, null, 0, problem, Map.of());
    }

    /** Returns the image with values of other columns. */
    Member with(Map<String, String> values) {
      return new Member(name, place, bytes, size, problem, values);
    }
  }

  @Override
  public Images open(ReadSettings limits, Configuration conf) {
    Images members = new Unpacking(limits, conf);
    return settings.urlColumn() == null || files.isEmpty() ? members : new UrlImages(members, files.get(0).uri(), limits, conf);
  }

  private final class Unpacking implements Images {
    private final ReadSettings limits;
    private final Configuration conf;
    private final ObjectReader store;
    private int index;
    private int taken;
    private int faults; // of the store on this file
    private long rows = -1; // of this file, if it says so
    private int skippedBefore; // this file
    private int skippedHere;
    private PackedFile file;
    private Members members;
    private NameSet names = new NameSet();
    private WantedImages wanted;

    Unpacking(ReadSettings limits, Configuration conf) {
      this.limits = limits;
      this.conf = conf;
      this.store = new ObjectReader(conf, limits);
    }

    @Override
    public Image next() throws IOException, InterruptedException {
      while (index < files.size()) {
        StoredObjects.StoredObject current = files.get(index);
        try {
          wanted = wanted == null ? WantedImages.of(keys, current.key()) : wanted;
          boolean isPast = members != null && taken >= section.end(rows) || wanted.areAllTaken();
          Member member = isPast ? null : limits.patience().withRetry("reading " + current.uri(), () -> nextOrReopened(current));
          if (member != null && taken < section.end(rows)) {
            String key = current.key() + "/" + uniqueName(member);
            if (taken++ < section.start(rows) || !wanted.take(key)) {
              continue;
            }
            return image(key, member);
          }
          String missing = wanted.takeMissing();
          if (missing != null) {
            return missing(missing);
          }
          finishFile();
        } catch (Unusable e) {
          // Another part reports what keeps it from its rows.
          boolean ours = rows < 0 ? section.isFirst() : taken >= section.start(rows) && taken < section.end(rows);
          finishFile();
          if (!ours) {
            continue;
          }
          return new Image(current.key(), 0, () -> {
            throw e.problem;
          });
        }
      }
      return null;
    }

    private Member nextMember(StoredObjects.StoredObject current) throws IOException, InterruptedException {
      try {
        if (members == null) {
          file = new PackedFile(current, store, conf, settings, limits.maxBytes());
          if (file.getLength() == 0) {
            throw new Unusable(new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.EMPTY, "the file has 0 bytes"));
          }
          members = PackedContent.open(file);
          store.add(current);
          rows = members.count();
          for (int i = 0; i < taken; i++) {
            members.next();
          }
        }
        Member next = members.next();
        int most = settings.urlColumn() == null ? MOST_IMAGES : MOST_URLS;
        if (next != null && taken == most) {
          throw PackedContent.unsupported(file, "it holds more images than the limit, " + most + "; split it");
        }
        return next;
      } catch (Unusable e) {
        throw e;
      } catch (OutOfMemoryError e) {
        if (!hasRoom()) {
          throw e;
        }
        // A library has tried to allocate what a damaged or hostile file says.
        throw new Unusable(new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.UNSUPPORTED,
            "reading it takes more memory than an executor has; write it in smaller parts"));
      } catch (IOException | RuntimeException e) {
        ImageProblem problem = problem(current, e);
        LOG.warn("{} cannot be read further: {} ({})", current.key(), problem.reason().label(), e.getClass().getName());
        throw new Unusable(problem);
      } finally {
        skippedHere = members == null ? 0 : members.skipped();
      }
    }

    /** Returns whether a quarter of the heap is free, so that only a single allocation has failed. */
    private static boolean hasRoom() {
      Runtime heap = Runtime.getRuntime();
      System.gc(); // what the failed call held is free by now
      return heap.totalMemory() - heap.freeMemory() < heap.maxMemory() / 4 * 3;
    }

    /** Returns the next member; if the store failed, the next call opens the file again. */
    private Member nextOrReopened(StoredObjects.StoredObject current) throws IOException, InterruptedException {
      try {
        return nextMember(current);
      } catch (IOException e) {
        close();
        throw e;
      }
    }

    /**
     * Returns why a file cannot be read any further.
     *
     * @throws IOException the store's, if it is not this file's alone
     */
    private ImageProblem problem(StoredObjects.StoredObject current, Exception thrown) throws IOException, InterruptedException {
      IOException failure = file.storeFailure();
      if (failure instanceof FileNotFoundException) {
        return new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.MISSING, "the file was listed, but no longer exists");
      }
      if (failure != null) {
        faults += Failures.isFaultyObject(failure) ? 1 : 0;
        ImageProblem problem = store.problemOf(current, failure, faults);
        if (problem == null) {
          throw failure;
        }
        return problem;
      }
      return thrown instanceof RunProblem refusal ? refused(refusal) : damaged(thrown);
    }

    private ImageProblem damaged(Exception thrown) throws IOException {
      String read = taken == 0 ? "; none of its images could be read; "
          : taken == 1 ? "; the image before that is read; " : "; the " + taken + " images before that are read; ";
      return thrown instanceof EOFException || file.isReadToEnd()
          ? new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.TRUNCATED, "the file ends after " + file.getLength()
              + " bytes, before its content does" + read + "upload it again")
          : new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.DAMAGED, "the file is damaged" + read
              + "pack and upload it again");
    }

    private ImageProblem refused(RunProblem problem) {
      return switch (problem.failureClass()) {
        case PATH_NOT_ALLOWED -> new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.OUTSIDE_CLAIM, problem.getMessage());
        case SOURCE_NOT_SUPPORTED -> new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.UNSUPPORTED, problem.getMessage());
        default -> throw problem; // such as a Secret without the key that objects are encrypted with
      };
    }

    /** Returns a member's name, followed by its place if an earlier member has the same. */
    private String uniqueName(Member member) {
      boolean unnamed = member.name().isEmpty() || isTooLong(member.name());
      String name = unnamed ? String.valueOf(member.place()) : member.name();
      while (!names.add(name)) {
        name += "#" + member.place();
      }
      return name;
    }

    private static boolean isTooLong(String name) {
      return name.length() > LONGEST_NAME / 4 && name.getBytes(StandardCharsets.UTF_8).length > LONGEST_NAME;
    }

    private static Image missing(String key) {
      return new Image(key, 0, () -> {
        throw new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.MISSING, "its file has no image of this name");
      });
    }

    private Image image(String key, Member member) {
      ImageProblem problem = problemOf(member);
      if (problem != null) {
        return new Image(key, 0, () -> {
          throw problem;
        });
      }
      return new Image(key, member.size(), member::bytes, member.carried());
    }

    private ImageProblem problemOf(Member member) {
      if (isTooLong(member.name())) {
        return new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.UNSUPPORTED,
            "its name has more bytes than the limit, " + LONGEST_NAME + "; shorten it");
      }
      if (member.problem() != null) {
        return member.problem();
      }
      if (member.bytes() == null) {
        return ImageProblem.tooLarge(member.size(), limits.maxBytes());
      }
      for (Map.Entry<String, String> column : member.carried().entrySet()) {
        if (column.getValue().length() > LONGEST_VALUE) {
          return new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.TOO_LARGE, "its column " + column.getKey() + " has "
              + column.getValue().length() + " characters, limit " + LONGEST_VALUE + "; remove it from spec.source.packed.carry");
        }
      }
      return null;
    }

    private void finishFile() {
      close();
      index++;
      taken = 0;
      faults = 0;
      rows = -1;
      skippedBefore += skippedHere;
      skippedHere = 0;
      names = new NameSet();
      wanted = null;
    }

    @Override
    public int skipped() {
      return section.isFirst() ? skippedBefore + skippedHere : 0;
    }

    @Override
    public void close() {
      if (members != null) {
        try {
          members.close();
        } catch (IOException e) {
          // The file was only read, so nothing is lost.
        }
        members = null;
      }
    }
  }

  /** A file that cannot be read any further, and that no retry can mend. */
  private static final class Unusable extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient ImageProblem problem;

    Unusable(ImageProblem problem) {
      super(null, null, false, false);
      this.problem = problem;
    }
  }
}
