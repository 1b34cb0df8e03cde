package dev.featx.source;

import dev.featx.failure.RunProblem;
import dev.featx.security.Authorities;
import dev.featx.security.KerberosLogin;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;

/** Packed files as the driver sees them, before a run has computed anything. */
public final class PackedFiles {
  private final Configuration conf;

  /**
   * Creates a reader.
   *
   * @param settings Hadoop's
   */
  public PackedFiles(Map<String, String> settings) {
    this.conf = HadoopSettings.withDefaults(settings);
  }

  /**
   * Opens some files of a source: a file that cannot be read is a row of the quarantine, but a source whose files all fail is
   * the run's failure.
   *
   * @param line the files as a shard, as {@link Shard#read} takes it
   * @param maxBytes larger images are not read
   * @throws RunProblem SourceNotSupported, AccessDenied or another class, if all files fail; damaged files do not count
   * @throws IOException if the store does not respond
   */
  public void check(String line, long maxBytes) throws IOException {
    Authorities.trust(conf);
    KerberosLogin.ensure(conf);
    PackedImages images = (PackedImages) Shard.read(line).part();
    ObjectReader store = new ObjectReader(conf, maxBytes);
    RunProblem first = null;
    for (StoredObjects.StoredObject object : images.files()) {
      RunProblem problem = problem(new PackedFile(object, store, conf, images.settings(), maxBytes));
      if (problem == null) {
        return;
      }
      first = first == null ? problem : first;
    }
    if (first != null) {
      throw first;
    }
  }

  private static RunProblem problem(PackedFile file) throws IOException {
    try {
      if (file.getLength() > 0) {
        try (PackedImages.Members members = PackedContent.open(file)) {
          members.next();
        }
      }
      return null;
    } catch (OutOfMemoryError e) {
      return null; // what the file says is damaged or hostile, which executors report
    } catch (IOException | RuntimeException e) {
      return file.storeFailure() instanceof FileNotFoundException ? null : file.refusal(e);
    }
  }
}
