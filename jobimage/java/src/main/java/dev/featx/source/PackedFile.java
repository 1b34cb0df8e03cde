package dev.featx.source;

import dev.featx.failure.FailureClass;
import dev.featx.failure.Failures;
import dev.featx.failure.RunProblem;
import java.io.EOFException;
import java.io.IOException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
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
  private final StoredObjects.StoredObject object;
  private final ObjectReader store;
  private final Configuration conf;
  private final PackedSettings settings;
  private final long maxBytes;
  private long length = -1;
  private IOException storeFailure;
  private boolean readToEnd;

  /**
   * Creates a handle; nothing is read yet.
   *
   * @param object the file as listed
   * @param store from which it is read
   * @param maxBytes larger images are not read
   */
  PackedFile(StoredObjects.StoredObject object, ObjectReader store, Configuration conf, PackedSettings settings, long maxBytes) {
    this.object = object;
    this.store = store;
    this.conf = conf;
    this.settings = settings;
    this.maxBytes = maxBytes;
  }

  /** Opens the file at its start. */
  FSDataInputStream open() throws IOException {
    long size = getLength();
    return new FSDataInputStream(new Recorded(recording(() -> store.open(object, size))));
  }

  @Override
  public SeekableInputStream newStream() throws IOException {
    return HadoopStreams.wrap(open());
  }

  @Override
  public long getLength() throws IOException {
    if (length < 0) {
      length = recording(() -> store.size(object));
    }
    return length;
  }

  /** Returns the key of the file in the table. */
  String key() {
    return object.key();
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
   * Returns why a file is refused by its store, or by us, for as long as nobody changes something; null if it is damaged.
   *
   * @param thrown by the store, a decoder or {@link PackedContent}
   * @throws IOException the store's, if it may recover
   */
  RunProblem refusal(Exception thrown) throws IOException {
    if (storeFailure == null) {
      return thrown instanceof RunProblem problem ? problem : null;
    }
    RunProblem problem = Failures.of(storeFailure);
    if (problem.failureClass().retryable()) {
      throw storeFailure;
    }
    return problem;
  }

  /** Returns whether a decoder requested bytes after the file's last one. */
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

  private final class Recorded extends ArrayInputStream {
    private final FSDataInputStream stored;

    Recorded(FSDataInputStream stored) {
      this.stored = stored;
    }

    @Override
    public int read(byte[] bytes, int start, int count) throws IOException {
      int read = recording(() -> stored.read(bytes, start, count));
      readToEnd |= read < 0;
      return read;
    }

    @Override
    public int available() throws IOException {
      return recording(stored::available);
    }

    @Override
    public void seek(long position) throws IOException {
      recording(() -> {
        stored.seek(position);
        return null;
      });
    }

    @Override
    public long getPos() throws IOException {
      return recording(stored::getPos);
    }

    @Override
    public boolean seekToNewSource(long position) throws IOException {
      return recording(() -> stored.seekToNewSource(position));
    }

    @Override
    public void close() throws IOException {
      stored.close();
    }
  }
}
