package dev.featx.source;

import dev.featx.failure.FailureClass;
import dev.featx.failure.Failures;
import dev.featx.failure.RunProblem;
import java.io.EOFException;
import java.io.IOException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.util.HadoopStreams;
import org.apache.parquet.io.InputFile;
import org.apache.parquet.io.SeekableInputStream;

/**
 * A file that holds many images, and what its store threw while it was read.
 *
 * <p>Decoders of archives throw IOExceptions as stores do. A store is waited for, a damaged file is not: so every byte passes
 * through this class, which records the exceptions of the store.
 */
final class PackedFile implements InputFile {
  private final String key;
  private final Path path;
  private final FileSystem fileSystem;
  private final Configuration conf;
  private final PackedSettings settings;
  private final long maxBytes;
  private final long length;
  private IOException storeFailure;
  private boolean readToEnd;

  /**
   * Finds the file; nothing is read yet.
   *
   * @param object the file as listed
   * @param maxBytes larger images are not read
   * @throws IOException if the store fails
   */
  PackedFile(StoredObjects.StoredObject object, Configuration conf, PackedSettings settings, long maxBytes) throws IOException {
    this.key = object.key();
    this.path = path(object);
    this.conf = conf;
    this.settings = settings;
    this.maxBytes = maxBytes;
    this.fileSystem = path.getFileSystem(conf);
    this.length = fileSystem.getFileStatus(path).getLen();
  }

  private static Path path(StoredObjects.StoredObject object) {
    try {
      return object.path();
    } catch (IllegalArgumentException e) {
      throw new RunProblem(FailureClass.SOURCE_NOT_SUPPORTED, "the file system cannot read this name; rename the file");
    }
  }

  /** Opens the file at its start. */
  FSDataInputStream open() throws IOException {
    try {
      return new FSDataInputStream(new Recorded(fileSystem.open(path)));
    } catch (IOException e) {
      storeFailure = e;
      throw e;
    }
  }

  @Override
  public SeekableInputStream newStream() throws IOException {
    return HadoopStreams.wrap(open());
  }

  @Override
  public long getLength() {
    return length;
  }

  /** Returns the key of the file in the table. */
  String key() {
    return key;
  }

  Configuration conf() {
    return conf;
  }

  PackedSettings settings() {
    return settings;
  }

  long maxBytes() {
    return maxBytes;
  }

  /** Returns the last exception of the store, or null if it delivered all that was requested. */
  IOException storeFailure() {
    return storeFailure;
  }

  /**
   * Returns the exception of the store after which a file could not be read, or null if the file is to blame.
   *
   * @param file null if it was not even found
   * @param thrown by the store, a decoder or {@link PackedContent}
   */
  static Exception storeFailure(PackedFile file, Exception thrown) {
    return file == null && !(thrown instanceof RunProblem) ? thrown : file == null ? null : file.storeFailure;
  }

  /**
   * Returns why a file is refused by its store, or by us, for as long as nobody changes something; null if it is damaged.
   *
   * @throws IOException the store's, if it may recover
   */
  static RunProblem refusal(PackedFile file, Exception thrown) throws IOException {
    Exception failure = storeFailure(file, thrown);
    if (failure == null) {
      return thrown instanceof RunProblem problem ? problem : null;
    }
    RunProblem problem = Failures.of(failure);
    if (problem.failureClass().retryable() && failure instanceof IOException passing) {
      throw passing;
    }
    return problem;
  }

  /** Returns whether a decoder asked for bytes after the file's last one. */
  boolean isReadToEnd() {
    return readToEnd;
  }

  /** A call to the store. */
  private interface Call<T> {
    T run() throws IOException;
  }

  private <T> T recording(Call<T> call) throws IOException {
    try {
      return call.run();
    } catch (EOFException e) { // a position after the end, unless the connection ended
      if (Failures.known(e).filter(FailureClass.STORE_UNREACHABLE::equals).isPresent()) {
        storeFailure = e;
      } else {
        readToEnd = true;
      }
      throw e;
    } catch (IOException e) {
      storeFailure = e;
      throw e;
    }
  }

  private final class Recorded extends FSInputStream {
    private final FSDataInputStream store;

    Recorded(FSDataInputStream store) {
      this.store = store;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int start, int count) throws IOException {
      int read = recording(() -> store.read(bytes, start, count));
      readToEnd |= read < 0;
      return read;
    }

    @Override
    public int available() throws IOException {
      return recording(store::available);
    }

    @Override
    public void seek(long position) throws IOException {
      recording(() -> {
        store.seek(position);
        return null;
      });
    }

    @Override
    public long getPos() throws IOException {
      return recording(store::getPos);
    }

    @Override
    public boolean seekToNewSource(long position) throws IOException {
      return recording(() -> store.seekToNewSource(position));
    }

    @Override
    public void close() throws IOException {
      store.close();
    }
  }
}
