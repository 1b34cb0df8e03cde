package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import dev.featx.source.StoredObjects.StoredObject;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;

/**
 * Images at s3:// and hdfs:// URLs: of the store that the table itself is in, with the credentials for it, and of no other.
 *
 * <p>Another bucket is reached as the source's bucket is. What the run knows of it from elsewhere, such as the credentials of
 * its output, is not used: a table must not choose between identities.
 */
final class StoreUrls {
  private static final Pattern S3 = Pattern.compile("(?i)s3[an]?://([^/?#]*)(?:/(.*))?", Pattern.DOTALL);
  private static final Pattern HDFS = Pattern.compile("(?i)(hdfs://[^/?#]*)(?:/(.*))?", Pattern.DOTALL);
  private static final Pattern BUCKET = Pattern.compile("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]");
  private static final Pattern SOURCE = Pattern.compile("(s3a)://([^/]+)/.*|(hdfs://[^/]*)/.*", Pattern.DOTALL);
  private static final String OF_BUCKET = "fs.s3a.bucket.";
  private static final int MOST_BUCKETS = 100; // each has settings of its own in the heap

  private final Configuration conf;
  private final ObjectReader reader;
  private final String bucket; // of the source, or null
  private final String nameNode; // of the source, or null
  private final Set<String> buckets = new HashSet<>();

  /**
   * Uses the store of a source.
   *
   * @param source address of any of its files
   * @param settings of the run
   * @param conf of the run, which stays as it is
   */
  StoreUrls(String source, ReadSettings settings, Configuration conf) {
    Matcher parts = SOURCE.matcher(source);
    boolean known = parts.matches();
    this.bucket = known ? parts.group(2) : null;
    this.nameNode = known ? parts.group(3) : null;
    this.conf = new Configuration(conf);
    this.reader = new ObjectReader(this.conf, settings);
  }

  /** Returns whether a URL is of a store. */
  static boolean isOfStore(String url) {
    return S3.matcher(url).matches() || HDFS.matcher(url).matches();
  }

  /**
   * Returns the image at a URL, which is read later.
   *
   * @throws ImageProblem Refused, if the URL is of another store
   */
  Image.Content content(String key, String url) throws ImageProblem {
    StoredObject object = new StoredObject(key, address(url), 0);
    return () -> reader.read(object);
  }

  private String address(String url) throws ImageProblem {
    Matcher s3 = S3.matcher(url);
    if (s3.matches()) {
      return "s3a://" + checked(s3.group(1)) + "/" + key(s3.group(2));
    }
    Matcher hdfs = HDFS.matcher(url);
    if (!hdfs.matches() || nameNode == null || !hdfs.group(1).equalsIgnoreCase(nameNode)) {
      throw problem(QuarantineReason.REFUSED, "the URL is of another HDFS than spec.source.files.uri");
    }
    return nameNode + "/" + key(hdfs.group(2));
  }

  private static String key(String path) throws ImageProblem {
    if (path == null || path.isEmpty()) {
      throw problem(QuarantineReason.UNSUPPORTED, "the URL has no path");
    }
    return ImageKeys.of(path.getBytes(StandardCharsets.UTF_8));
  }

  private String checked(String other) throws ImageProblem {
    if (bucket == null) {
      throw problem(QuarantineReason.REFUSED, "the URL is of S3, but the table is not: set spec.source.s3 to the table's bucket");
    }
    if (other.equals(bucket) || buckets.contains(other)) {
      return other;
    }
    if (!BUCKET.matcher(other).matches()) {
      throw problem(QuarantineReason.UNSUPPORTED, "the URL has no valid bucket");
    }
    if (buckets.size() == MOST_BUCKETS) {
      throw problem(QuarantineReason.REFUSED, "the URL's bucket is one too many: a file's URLs may name " + MOST_BUCKETS);
    }
    String start = OF_BUCKET + other + ".";
    conf.getPropsWithPrefix(start).keySet().forEach(name -> conf.unset(start + name));
    for (Map.Entry<String, String> setting : conf.getPropsWithPrefix(OF_BUCKET + bucket + ".").entrySet()) {
      conf.set(start + setting.getKey(), setting.getValue());
    }
    conf.set(start + "path.style.access", "true"); // a host of its own might not resolve, which looks like a silent store
    buckets.add(other);
    return other;
  }

  private static ImageProblem problem(QuarantineReason reason, String message) {
    return new ImageProblem(ImageProblem.Stage.READ, reason, message);
  }
}
