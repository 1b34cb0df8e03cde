package dev.featx.source;

import dev.featx.failure.RunProblem;
import dev.featx.image.ImageProblem;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.PathMatcher;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * Images packed into tar archives, SequenceFiles or Parquet files, which are read sequentially.
 *
 * @param files in the order of the rows
 * @param settings how to read them
 */
record PackedImages(List<StoredObjects.StoredObject> files, PackedSettings settings) implements Images.Part {
  /** Iterates over the images of a file. */
  interface Members extends Closeable {
    /** Returns the next image, or null after the last one. */
    Member next() throws IOException;
  }

  /**
   * An image within a file.
   *
   * @param name within the file
   * @param bytes its content, or null if it exceeds the limit
   * @param size in bytes
   */
  record Member(String name, byte[] bytes, long size) {}

  /** Opens files of one format. */
  private interface Format {
    Members open(Path file, Configuration conf, PackedSettings settings, long maxBytes) throws IOException;
  }

  private static final Map<PackedSettings.Format, Format> FORMATS = Map.of(PackedSettings.Format.TAR, TarMembers::new,
      PackedSettings.Format.SEQUENCE_FILE, SequenceMembers::new, PackedSettings.Format.PARQUET, ParquetMembers::new,
      PackedSettings.Format.DELTA, ParquetMembers::new);

  /** Returns the matcher of the names of images. */
  static PathMatcher matcher(PackedSettings settings) {
    return FileSystems.getDefault().getPathMatcher("glob:" + settings.members());
  }

  @Override
  public Images open(ReadSettings limits, Configuration conf) {
    return new Unpacking(limits, conf);
  }

  private final class Unpacking implements Images {
    private final ReadSettings limits;
    private final Configuration conf;
    private int file;
    private int taken;
    private Members members;

    Unpacking(ReadSettings limits, Configuration conf) {
      this.limits = limits;
      this.conf = conf;
    }

    @Override
    public Image next() throws IOException, InterruptedException {
      for (; file < files.size(); file++, taken = 0) {
        StoredObjects.StoredObject current = files.get(file);
        Member member = limits.patience().withRetry("reading " + current.uri(), () -> nextMember(current));
        if (member != null) {
          taken++;
          return image(current.key() + "/" + member.name(), member);
        }
        close();
      }
      return null;
    }

    /** Returns the next member, after reopening the file if it failed. */
    private Member nextMember(StoredObjects.StoredObject current) throws IOException {
      try {
        if (members == null) {
          members = FORMATS.get(settings.format()).open(current.path(), conf, settings, limits.maxBytes());
          for (int i = 0; i < taken; i++) {
            members.next();
          }
        }
        return members.next();
      } catch (IOException | RunProblem e) {
        close();
        throw e;
      }
    }

    private Image image(String key, Member member) {
      if (member.bytes() == null) {
        return new Image(key, 0, () -> {
          throw ImageProblem.tooLarge(member.size(), limits.maxBytes());
        });
      }
      return new Image(key, member.size(), member::bytes);
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
}
