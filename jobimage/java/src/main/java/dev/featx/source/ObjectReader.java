package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.concurrent.ExecutionException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Reads whole objects: of buckets by {@link BucketObjects}, others through Hadoop's file systems.
 *
 * <p>An object that is gone is that image's problem. A store that does not answer is the run's: it is waited for
 * ({@link Patience}), and in the end the task fails, for Spark and then the operator to try again.
 */
final class ObjectReader {
  private static final String BUCKETS = "s3a://";

  private final Configuration conf;
  private final long maxBytes;
  private final Patience patience;
  private BucketObjects bucket;

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
   * @throws ImageProblem TooLarge, Missing or Unreadable
   * @throws IOException if the store does not answer, or refuses
   */
  byte[] read(StoredObjects.StoredObject object) throws ImageProblem, IOException, InterruptedException {
    if (object.size() > maxBytes) {
      throw ImageProblem.tooLarge(object.size(), maxBytes);
    }
    try {
      Fetched found = patience.answer("reading " + object.uri(), () -> readOnce(object));
      if (found.bytes() == null) {
        throw ImageProblem.tooLarge(found.size(), maxBytes);
      }
      return found.bytes();
    } catch (FileNotFoundException e) {
      throw new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.MISSING, "the object was listed, but no longer exists");
    } catch (Unreadable e) {
      throw new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.UNREADABLE,
          "the file system cannot read this name: " + e.getCause());
    }
  }

  private Fetched readOnce(StoredObjects.StoredObject object) throws IOException, InterruptedException {
    return object.uri().startsWith(BUCKETS) ? ofBucket(object.uri().substring(BUCKETS.length()))
        : ofFiles(new Path(object.uri()), object.size());
  }

  private Fetched ofFiles(Path path, long listed) throws IOException, InterruptedException {
    FileSystem fileSystem = path.getFileSystem(conf);
    Path file = fileSystem.makeQualified(path);
    if (fileSystem instanceof LocalFiles local) {
      return local.whole(file, maxBytes);
    }
    Fetched found = exactly(fileSystem, file, listed);
    if (found == null) {
      // It has changed since it was listed: what counts is what is there now.
      found = exactly(fileSystem, file, fileSystem.getFileStatus(file).getLen());
    }
    if (found == null) {
      throw new IOException(file + " is being written to");
    }
    return found;
  }

  /** Returns a file of the size that it is said to have, or null if it has another one by now. */
  private Fetched exactly(FileSystem fileSystem, Path file, long size) throws IOException, InterruptedException {
    if (size > maxBytes) {
      return new Fetched(size, null);
    }
    try (FSDataInputStream stream = fileSystem.openFile(file).build().get()) {
      byte[] bytes = new byte[(int) size];
      stream.readFully(bytes);
      return stream.read() == -1 ? new Fetched(size, bytes) : null;
    } catch (EOFException e) {
      return null;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException cause) {
        throw cause;
      }
      throw new Unreadable(e.getCause());
    }
  }

  private Fetched ofBucket(String bucketAndKey) throws IOException {
    int slash = bucketAndKey.indexOf('/');
    return bucket(bucketAndKey.substring(0, slash)).whole(bucketAndKey.substring(slash + 1), maxBytes);
  }

  private synchronized BucketObjects bucket(String name) throws IOException {
    if (bucket == null || !bucket.bucket().equals(name)) {
      bucket = new BucketObjects(name, conf);
    }
    return bucket;
  }
}
