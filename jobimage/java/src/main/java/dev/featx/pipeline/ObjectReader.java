package dev.featx.pipeline;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.util.concurrent.ExecutionException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads whole objects through Hadoop's file systems.
 *
 * <p>An object that is gone is that picture's problem. A store that does not answer is the run's: it is asked again with
 * growing pauses, and in the end the task fails, for Spark and then the operator to try again.
 */
final class ObjectReader {
  private static final Logger LOG = LoggerFactory.getLogger(ObjectReader.class);
  private static final int TRIES = 5;
  private static final long FIRST_PAUSE_MILLIS = 500;

  private final Configuration conf;
  private final long maxBytes;

  ObjectReader(Configuration conf, long maxBytes) {
    this.conf = conf;
    this.maxBytes = maxBytes;
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
    for (int attempt = 1;; attempt++) {
      try {
        return readOnce(object);
      } catch (FileNotFoundException e) {
        throw new PictureProblem(PictureProblem.Stage.READ, "Missing", "it was listed but is gone");
      } catch (AccessDeniedException e) {
        throw e;
      } catch (IOException e) {
        if (attempt == TRIES) {
          throw new IOException("the store did not deliver " + object.uri() + " in " + TRIES + " tries", e);
        }
        LOG.warn("reading {} failed, trying again: {}", object.uri(), e.toString());
        Thread.sleep(FIRST_PAUSE_MILLIS << attempt - 1);
      }
    }
  }

  private byte[] readOnce(StoredObjects.StoredObject object) throws PictureProblem, IOException, InterruptedException {
    Path path = new Path(object.uri());
    FileSystem fileSystem = path.getFileSystem(conf);
    // The length is known from the listing, so S3A need not ask for it; small objects come in one request.
    try (FSDataInputStream stream = fileSystem.openFile(path)
        .opt("fs.option.openfile.length", Long.toString(object.size()))
        .opt("fs.option.openfile.read.policy", "whole-file").build().get()) {
      byte[] bytes = new byte[(int) object.size()];
      stream.readFully(bytes);
      return bytes;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException cause) {
        throw cause;
      }
      throw new PictureProblem(PictureProblem.Stage.READ, "Unreadable", "it can't be read by this name: " + e.getCause());
    }
  }
}
