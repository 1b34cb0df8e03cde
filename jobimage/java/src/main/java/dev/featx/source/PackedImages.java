package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.failure.RunProblem;
import dev.featx.image.ImageProblem;
import java.io.Closeable;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
 */
record PackedImages(List<StoredObjects.StoredObject> files, PackedSettings settings, PackedSection section) implements Images.Part {
  private static final Logger LOG = LoggerFactory.getLogger(PackedImages.class);

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

    /** Returns the number of members so far that are not images. */
    default int skipped() {
      return 0;
    }
  }

  /**
   * An image within a file.
   *
   * @param name within the file; empty if it has none
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
    private int index;
    private int taken;
    private long rows = -1; // of this file, if it says so
    private int skippedBefore; // this file
    private int skippedHere;
    private PackedFile file;
    private Members members;
    private Set<String> names = new HashSet<>();

    Unpacking(ReadSettings limits, Configuration conf) {
      this.limits = limits;
      this.conf = conf;
    }

    @Override
    public Image next() throws IOException, InterruptedException {
      while (index < files.size()) {
        StoredObjects.StoredObject current = files.get(index);
        try {
          boolean isPast = members != null && taken >= section.end(rows);
          Member member = isPast ? null : limits.patience().withRetry("reading " + current.uri(), () -> nextOrReopened(current));
          if (member != null && taken < section.end(rows)) {
            String name = uniqueName(member);
            if (taken++ < section.start(rows)) {
              continue;
            }
            return image(current.key() + "/" + ImageKeys.of(name.getBytes(StandardCharsets.UTF_8)), member);
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

    private Member nextMember(StoredObjects.StoredObject current) throws IOException {
      try {
        if (members == null) {
          file = null;
          file = new PackedFile(current, conf, settings, limits.maxBytes());
          if (file.getLength() == 0) {
            throw new Unusable(new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.EMPTY, "the file has 0 bytes"));
          }
          members = PackedContent.open(file);
          rows = members.count();
          for (int i = 0; i < taken; i++) {
            members.next();
          }
        }
        return members.next();
      } catch (Unusable e) {
        throw e;
      } catch (IOException | RuntimeException e) {
        ImageProblem problem = problem(e);
        LOG.warn("{} cannot be read further: {} ({})", current.key(), problem.reason().label(), e.getClass().getName());
        throw new Unusable(problem);
      } finally {
        skippedHere = members == null ? 0 : members.skipped();
      }
    }

    /** Returns the next member; if the store failed, the next call opens the file again. */
    private Member nextOrReopened(StoredObjects.StoredObject current) throws IOException {
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
     * @throws IOException if its store is likely to recover
     */
    private ImageProblem problem(Exception thrown) throws IOException {
      if (PackedFile.storeFailure(file, thrown) instanceof FileNotFoundException) {
        return new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.MISSING, "the file was listed, but no longer exists");
      }
      RunProblem refusal = PackedFile.refusal(file, thrown);
      return refusal == null ? damaged(thrown) : refused(refusal);
    }

    private ImageProblem damaged(Exception thrown) {
      String read = "; the " + taken + " images before are read; ";
      return thrown instanceof EOFException || file.isReadToEnd()
          ? new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.TRUNCATED, "the file ends after " + file.getLength()
              + " bytes, before its content does" + read + "upload it again")
          : new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.DAMAGED, "the file is damaged" + read
              + "pack and upload it again");
    }

    private ImageProblem refused(RunProblem problem) {
      String message = problem.getMessage();
      return switch (problem.failureClass()) {
        case PATH_NOT_ALLOWED -> new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.OUTSIDE_CLAIM, message);
        case SOURCE_NOT_SUPPORTED -> new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.UNSUPPORTED, message);
        default -> new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.UNREADABLE, message);
      };
    }

    /** Returns a member's name, followed by its place if an earlier member has the same. */
    private String uniqueName(Member member) {
      String name = member.name().isEmpty() ? String.valueOf(member.place()) : member.name();
      while (!names.add(name)) {
        name += "#" + member.place();
      }
      return name;
    }

    private Image image(String key, Member member) {
      if (member.problem() != null) {
        return new Image(key, 0, () -> {
          throw member.problem();
        });
      }
      if (member.bytes() == null) {
        return new Image(key, 0, () -> {
          throw ImageProblem.tooLarge(member.size(), limits.maxBytes());
        });
      }
      return new Image(key, member.size(), member::bytes, member.carried());
    }

    private void finishFile() {
      close();
      index++;
      taken = 0;
      rows = -1;
      skippedBefore += skippedHere;
      skippedHere = 0;
      names = new HashSet<>();
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
