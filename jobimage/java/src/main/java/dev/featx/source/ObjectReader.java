package dev.featx.source;

import dev.featx.failure.FailureClass;
import dev.featx.failure.QuarantineReason;
import dev.featx.failure.RunProblem;
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
 * Reads whole objects, from buckets with {@link BucketObjects} and otherwise through Hadoop's file systems.
 *
 * <p>A missing object is a problem of that image only. An unresponsive store is a problem of the run: reads are retried
 * ({@link Patience}) until the task fails, which Spark and then the operator retry.
 */
final class ObjectReader {
  private static final String BUCKETS = "s3a://";

  private final Configuration conf;
  private final long maxBytes;
  private final Patience patience;
  private BucketObjects bucket;

  /** A name that Hadoop's file system rejects. */
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
   * @throws IOException if the store does not respond or denies access
   */
  byte[] read(StoredObjects.StoredObject object) throws ImageProblem, IOException, InterruptedException {
    if (object.size() > maxBytes) {
      throw ImageProblem.tooLarge(object.size(), maxBytes);
    }
    try {
      Fetched fetched = patience.withRetry("reading " + object.uri(), () -> readOnce(object));
      if (fetched.bytes() == null) {
        throw ImageProblem.tooLarge(fetched.size(), maxBytes);
      }
      return fetched.bytes();
    } catch (FileNotFoundException e) {
      throw new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.MISSING, "the object was listed, but no longer exists");
    } catch (RunProblem e) {
      if (e.failureClass() != FailureClass.PATH_NOT_ALLOWED) {
        throw e;
      }
      throw new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.OUTSIDE_CLAIM,
          "a link on the file's path leads out of the claim; replace the link by the file");
    } catch (Unreadable e) {
      throw new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.UNREADABLE,
          "the file system cannot read this name: " + e.getCause());
    }
  }

  private Fetched readOnce(StoredObjects.StoredObject object) throws IOException, InterruptedException {
    return object.uri().startsWith(BUCKETS) ? fromBucket(object.uri().substring(BUCKETS.length()))
        : fromFileSystem(object.path(), object.size());
  }

  private Fetched fromFileSystem(Path path, long listed) throws IOException, InterruptedException {
    FileSystem fileSystem = path.getFileSystem(conf);
    Path file = fileSystem.makeQualified(path);
    if (fileSystem instanceof LocalFiles local) {
      return local.fetch(file, maxBytes);
    }
    Fetched fetched = exactly(fileSystem, file, listed);
    if (fetched == null) {
      // It has changed since it was listed: read its current content.
      fetched = exactly(fileSystem, file, fileSystem.getFileStatus(file).getLen());
    }
    if (fetched == null) {
      throw new IOException(file + " is being written");
    }
    return fetched;
  }

  /** Returns a file of the expected size, or null if its size has changed. */
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

  private Fetched fromBucket(String bucketAndKey) throws IOException {
    int slash = bucketAndKey.indexOf('/');
    return bucket(bucketAndKey.substring(0, slash)).fetch(bucketAndKey.substring(slash + 1), maxBytes);
  }

  private synchronized BucketObjects bucket(String name) throws IOException {
    if (bucket == null || !bucket.bucket().equals(name)) {
      bucket = new BucketObjects(name, conf);
    }
    return bucket;
  }
}
