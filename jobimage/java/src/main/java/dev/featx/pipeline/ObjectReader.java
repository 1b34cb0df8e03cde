package dev.featx.pipeline;

import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.concurrent.ExecutionException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FutureDataInputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.s3a.S3AFileStatus;
import org.apache.hadoop.fs.s3a.S3AFileSystem;

/**
 * Reads whole objects through Hadoop's file systems.
 *
 * <p>An object that is gone is that picture's problem. A store that does not answer is the run's: it is waited for
 * ({@link Patience}), and in the end the task fails, for Spark and then the operator to try again.
 */
final class ObjectReader {
  private final Configuration conf;
  private final long maxBytes;
  private final Patience patience;

  /** A name that Hadoop's file system can't make anything of. */
  private static final class Unreadable extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Unreadable(Throwable cause) {
      super(cause);
    }
  }

  ObjectReader(Configuration conf, long maxBytes, Patience patience) {
    this.conf = conf;
    this.maxBytes = maxBytes;
    this.patience = patience;
  }

  /**
   * Returns an object's bytes.
   *
   * @throws PictureProblem TooLarge, Missing or Unreadable
   * @throws IOException if the store does not answer, or refuses
   */
  byte[] read(StoredObjects.StoredObject object) throws PictureProblem, IOException, InterruptedException {
    if (object.size() > maxBytes) {
      throw PictureProblem.tooLarge(object.size(), maxBytes);
    }
    try {
      return patience.answer("reading " + object.uri(), () -> readOnce(object));
    } catch (FileNotFoundException e) {
      throw new PictureProblem(PictureProblem.Stage.READ, "Missing", "it was listed but is gone");
    } catch (Unreadable e) {
      throw new PictureProblem(PictureProblem.Stage.READ, "Unreadable", "it can't be read by this name: " + e.getCause());
    }
  }

  private byte[] readOnce(StoredObjects.StoredObject object) throws IOException, InterruptedException {
    Path path = new Path(object.uri());
    FileSystem fileSystem = path.getFileSystem(conf);
    Path whole = fileSystem.makeQualified(path);
    if (fileSystem instanceof LocalFiles local) {
      return local.whole(whole, maxBytes);
    }
    try {
      return bytes(fileSystem, whole, object.size());
    } catch (EOFException e) {
      // A smaller one has taken its place since it was listed: what counts is what is there now.
      return bytes(fileSystem, whole, Math.min(fileSystem.getFileStatus(whole).getLen(), object.size()));
    }
  }

  private static byte[] bytes(FileSystem fileSystem, Path path, long size) throws IOException, InterruptedException {
    try (FSDataInputStream stream = opened(fileSystem, path, size).build().get()) {
      byte[] bytes = new byte[(int) size];
      stream.readFully(bytes);
      return bytes;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException cause) {
        throw cause;
      }
      throw new Unreadable(e.getCause());
    }
  }

  /** Tells S3A what it would ask the store for before each object: two requests a picture in place of one. */
  private static FutureDataInputStreamBuilder opened(FileSystem fileSystem, Path path, long size) throws IOException {
    FutureDataInputStreamBuilder builder = fileSystem.openFile(path);
    if (!(fileSystem instanceof S3AFileSystem)) {
      return builder;
    }
    long block = fileSystem.getDefaultBlockSize(path);
    return builder.withFileStatus(new S3AFileStatus(size, 0, path, block, "", null, null))
        .opt("fs.s3a.experimental.input.fadvise", "sequential");
  }
}
