package dev.featx.source;

import dev.featx.contract.Contract;
import dev.featx.failure.RunProblem;
import dev.featx.security.Authorities;
import dev.featx.security.KerberosLogin;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
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

  private static final int URLS_CHECKED = 100; // of a file

  /**
   * Opens some files of a source: a file that cannot be read is a row of the quarantine, but a source whose files all fail is
   * the run's failure.
   *
   * @param line the files as a shard, as {@link Shard#read} takes it
   * @param maxBytes larger images are not read
   * @param urlHosts hosts that images may be fetched from ({@link dev.featx.security.UrlHosts})
   * @throws RunProblem SourceNotSupported, AccessDenied or another class, if all files fail; damaged files do not count
   * @throws IOException if the store does not respond
   */
  public void check(String line, long maxBytes, List<String> urlHosts) throws IOException {
    Authorities.trust(conf);
    KerberosLogin.ensure(conf);
    PackedImages images = (PackedImages) Shard.read(line).part();
    ObjectReader store = new ObjectReader(conf, maxBytes);
    RunProblem first = null;
    for (StoredObjects.StoredObject object : images.files()) {
      RunProblem problem = problem(new PackedFile(object, store, conf, images.settings(), maxBytes), urlHosts);
      if (problem == null) {
        return;
      }
      first = first == null ? problem : first;
    }
    if (first != null) {
      throw first;
    }
  }

  /**
   * Returns the columns that images of some files may have beside them, as a JSON list of names: all of Parquet files and of
   * zips, and what the first members of others have. Once all of packed.carry are there, the rest is not looked for.
   *
   * @param line the files as a shard, as {@link Shard#read} takes it
   * @param maxBytes larger images are not read
   * @param members most of a file to read
   * @param bytes most of these, without compression
   * @return null if no file can be opened: executors report each
   * @throws RunProblem the reason of a store that refuses all
   * @throws IOException if the store does not respond
   */
  public String columns(String line, long maxBytes, int members, long bytes) throws IOException {
    Authorities.trust(conf);
    KerberosLogin.ensure(conf);
    PackedImages images = (PackedImages) Shard.read(line).part();
    ObjectReader store = new ObjectReader(conf, maxBytes);
    ColumnNames names = new ColumnNames(images.settings().carry());
    boolean opened = false;
    for (StoredObjects.StoredObject object : images.files()) {
      PackedFile file = new PackedFile(object, store, conf, images.settings(), maxBytes);
      opened |= addColumns(file, members, bytes, names);
      if (names.isComplete()) {
        break;
      }
    }
    return opened ? Contract.write(names.names()) : null;
  }

  /** Adds a file's columns; returns whether it was opened. */
  private static boolean addColumns(PackedFile file, int members, long bytes, ColumnNames names) throws IOException {
    try {
      if (file.getLength() == 0) {
        return false;
      }
      try (PackedImages.Members opened = PackedContent.open(file)) {
        addColumns(opened, members, bytes, names);
      }
      return true;
    } catch (OutOfMemoryError e) {
      return false; // what the file says is damaged or hostile, which executors report
    } catch (IOException | RuntimeException e) {
      if (file.storeFailure() != null && !(file.storeFailure() instanceof FileNotFoundException)) {
        file.refusal(e); // throws what may pass
      }
      return false;
    }
  }

  private static void addColumns(PackedImages.Members opened, int members, long bytes, ColumnNames names) throws IOException {
    try {
      long remaining = bytes;
      for (int i = 0; i < members && remaining > 0 && !opened.columns().isComplete(); i++) {
        PackedImages.Member member = opened.next();
        if (member == null) {
          break;
        }
        remaining -= Math.max(1, member.size());
      }
    } finally {
      opened.columns().names().forEach(names::add); // those before a damage too
    }
  }

  private static RunProblem problem(PackedFile file, List<String> urlHosts) throws IOException {
    try {
      if (file.getLength() > 0) {
        try (PackedImages.Members members = PackedContent.open(file)) {
          if (file.settings().urlColumn() != null) {
            checkUrls(members, file, urlHosts.isEmpty());
          } else {
            members.next();
          }
        }
      }
      return null;
    } catch (OutOfMemoryError e) {
      return null; // what the file says is damaged or hostile, which executors report
    } catch (IOException | RuntimeException e) {
      return file.storeFailure() instanceof FileNotFoundException ? null : file.refusal(e);
    }
  }

  /** Refuses a file whose first rows have no URLs that the run could fetch. */
  private static void checkUrls(PackedImages.Members members, PackedFile file, boolean storesOnly) throws IOException {
    int urls = 0;
    int others = 0;
    for (int i = 0; i < URLS_CHECKED; i++) {
      PackedImages.Member member = members.next();
      if (member == null) {
        break;
      }
      String text = member.bytes() == null ? "" : new String(member.bytes(), StandardCharsets.UTF_8).strip();
      boolean web = text.matches("(?is)https?://.*");
      if (StoreUrls.isOfStore(text) || web && !storesOnly) {
        return;
      }
      urls += web ? 1 : 0;
      others += web || text.isEmpty() ? 0 : 1;
    }
    if (urls > 0 && others == 0) {
      throw PackedContent.unsupported(file, "spec.source.packed.urlColumn: column " + file.settings().urlColumn() + " holds URLs of"
          + " the web, and none is allowed here; ask the platform team to add their hosts to allowed.urlHosts in the chart's"
          + " values; with `featx run` pass --url-hosts");
    }
    if (others > 0) {
      throw PackedContent.unsupported(file, "spec.source.packed.urlColumn: column " + file.settings().urlColumn()
          + " holds no URLs that begin with s3://, hdfs://, https:// or http://");
    }
  }
}
