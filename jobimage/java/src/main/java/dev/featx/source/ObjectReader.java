package dev.featx.source;

import dev.featx.failure.CutResponse;
import dev.featx.failure.FailureClass;
import dev.featx.failure.Failures;
import dev.featx.failure.QuarantineReason;
import dev.featx.failure.RunProblem;
import dev.featx.image.ImageProblem;
import dev.featx.source.StoredObjects.StoredObject;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Reads objects, from buckets with {@link BucketObjects} and otherwise through Hadoop's file systems.
 *
 * <p>An object that is missing, refused or damaged is a problem of that image only, as long as others can be read
 * ({@link Witnesses}). An unresponsive store is a problem of the run: reads are retried ({@link Patience}) until the task fails,
 * which Spark and then the operator retry.
 */
final class ObjectReader {
  private static final String BUCKETS = "s3a://";
  private static final int MOST_FAULTS = 3; // of an object while others can be read

  private final Configuration conf;
  private final long maxBytes;
  private final Patience patience;
  private final Witnesses witnesses;
  private BucketObjects bucket;

  /** Carries the problem of one object through {@link Patience}, which retries other failures. */
  private static final class ObjectProblem extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ImageProblem problem;

    ObjectProblem(ImageProblem problem) {
      this.problem = problem;
    }
  }

  /** Reads one object, repeatedly if the store fails. */
  private final class Reading implements Patience.Call<Fetched> {
    private final StoredObject object;
    private int faults;

    Reading(StoredObject object) {
      this.object = object;
    }

    @Override
    public Fetched run() throws IOException, InterruptedException {
      try {
        Fetched fetched = readOnce(object);
        witnesses.add(object);
        return fetched;
      } catch (FileNotFoundException e) {
        throw e;
      } catch (IOException e) {
        faults += Failures.isFaultyObject(e) ? 1 : 0;
        ImageProblem problem = problemOf(object, e, faults);
        if (problem != null) {
          throw new ObjectProblem(problem);
        }
        throw e;
      }
    }
  }

  ObjectReader(Configuration conf, ReadSettings settings) {
    this.conf = conf;
    this.maxBytes = settings.maxBytes();
    this.patience = settings.patience();
    this.witnesses = new Witnesses(settings.samples().stored());
  }

  /** Creates a reader that neither waits for a store nor judges it. */
  ObjectReader(Configuration conf, long maxBytes) {
    this(conf, new ReadSettings(maxBytes, null, new Patience(0, what -> {}), new ReadSettings.Samples("", List.of()), List.of()));
  }

  /**
   * Returns an object's bytes.
   *
   * @throws ImageProblem TooLarge, Missing, OutsideClaim, Refused or Unreadable
   * @throws IOException if the store does not respond or denies access
   */
  byte[] read(StoredObject object) throws ImageProblem, IOException, InterruptedException {
    if (object.size() > maxBytes) {
      throw ImageProblem.tooLarge(object.size(), maxBytes);
    }
    try {
      Fetched fetched = patience.withRetry("reading " + object.uri(), new Reading(object));
      if (fetched.bytes() == null) {
        throw ImageProblem.tooLarge(fetched.size(), maxBytes);
      }
      return fetched.bytes();
    } catch (FileNotFoundException e) {
      throw new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.MISSING, hasSlash(object)
          ? "the object's key ends with a slash, which is lost in long listings: store it under another key, or add the key with"
              + " the slash to source.keys of another run"
          : "the object was listed, but no longer exists");
    } catch (RunProblem e) {
      if (e.failureClass() != FailureClass.PATH_NOT_ALLOWED) {
        throw e;
      }
      throw new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.OUTSIDE_CLAIM,
          "a link on the file's path leads out of the claim; replace the link by the file");
    } catch (ObjectProblem e) {
      throw e.problem;
    }
  }

  /** Records that an object was read, so that another one's failure is not the store's. */
  void add(StoredObject object) {
    witnesses.add(object);
  }

  /**
   * Returns an object's problem, or null if it may be the store's.
   *
   * @param thrown by the store
   * @param faults of the store on this object so far, this one included
   */
  ImageProblem problemOf(StoredObject object, IOException thrown, int faults) throws InterruptedException {
    boolean refused = Failures.isRefusedObject(thrown);
    boolean faulty = Failures.isFaultyObject(thrown) && faults >= MOST_FAULTS;
    if (!(refused || faulty) || !witnesses.contradict(object, wholeOrByte(thrown))) {
      return null;
    }
    String described = Failures.describeObject(thrown);
    if (Failures.isReplacedObject(thrown)) {
      return new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.MISSING,
          "the object was replaced while it was read (" + described + "); read it in another run");
    }
    return refused
        ? new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.REFUSED, "the store refused this object, but returns others ("
            + described + "); " + (Failures.isArchivedObject(thrown) ? "restore it from its archive"
                : "grant access to it, and to its key if it is encrypted"))
        : new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.UNREADABLE, "the store cannot read this object, but reads others ("
            + described + "); upload it again");
  }

  /** Returns how another object is read: whole if this one's response was cut, as a gateway may pass some bytes of each. */
  private Witnesses.Check wholeOrByte(IOException thrown) {
    return thrown instanceof CutResponse ? this::readOnce : this::check;
  }

  /** Returns an object's current size in bytes. */
  long size(StoredObject object) throws IOException {
    if (object.uri().startsWith(BUCKETS)) {
      return bucketOf(object).size(keyOf(object));
    }
    Path path = hadoopPath(object);
    return path.getFileSystem(conf).getFileStatus(path).getLen();
  }

  /**
   * Opens an object at its start.
   *
   * @param size as {@link #size} returns it
   */
  FSDataInputStream open(StoredObject object, long size) throws IOException {
    if (object.uri().startsWith(BUCKETS)) {
      return new FSDataInputStream(new BucketStream(bucketOf(object), keyOf(object), size));
    }
    Path path = hadoopPath(object);
    return path.getFileSystem(conf).open(path);
  }

  private static Path hadoopPath(StoredObject object) {
    try {
      return object.path();
    } catch (IllegalArgumentException e) {
      throw new RunProblem(FailureClass.SOURCE_NOT_SUPPORTED, "the file system cannot read this name; rename the file");
    }
  }

  /** Returns whether an object of a bucket is there under its key and a slash; the client of long listings drops it. */
  private boolean hasSlash(StoredObject object) throws InterruptedException {
    if (!object.uri().startsWith(BUCKETS) || object.size() == 0) {
      return false;
    }
    try {
      check(new StoredObject(object.key(), object.uri() + "/", object.size()));
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private Fetched readOnce(StoredObject object) throws IOException, InterruptedException {
    return object.uri().startsWith(BUCKETS) ? bucketOf(object).fetch(keyOf(object), maxBytes)
        : fromFileSystem(object.path(), object.size());
  }

  /** Reads the first byte of an object. */
  private void check(StoredObject object) throws IOException, InterruptedException {
    if (object.uri().startsWith(BUCKETS)) {
      bucketOf(object).check(keyOf(object));
      return;
    }
    Path path = object.path();
    FileSystem fileSystem = path.getFileSystem(conf);
    if (fileSystem instanceof LocalFiles local) {
      local.fetch(fileSystem.makeQualified(path), maxBytes);
      return;
    }
    try (FSDataInputStream stream = fileSystem.open(path)) {
      stream.read();
    }
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
      throw new ObjectProblem(new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.UNREADABLE,
          "the file system cannot read this name: " + e.getCause()));
    }
  }

  private static String keyOf(StoredObject object) {
    return object.uri().substring(object.uri().indexOf('/', BUCKETS.length()) + 1);
  }

  private synchronized BucketObjects bucketOf(StoredObject object) throws IOException {
    String name = object.uri().substring(BUCKETS.length(), object.uri().indexOf('/', BUCKETS.length()));
    if (bucket == null || !bucket.bucket().equals(name)) {
      bucket = new BucketObjects(name, conf);
    }
    return bucket;
  }
}
