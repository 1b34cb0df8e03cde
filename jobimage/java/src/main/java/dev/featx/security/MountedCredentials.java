package dev.featx.security;

import com.amazonaws.auth.AWSCredentials;
import com.amazonaws.auth.AWSCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.auth.BasicSessionCredentials;
import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;

/**
 * Credentials of one bucket's store, read from the files that Kubernetes mounts of a Secret.
 *
 * <p>So they stand in no Spark setting, argument, variable or ConfigMap, and a Secret that is changed is followed without a
 * restart. The folder is named by fs.s3a.bucket.BUCKET.featx.credentials.dir.
 */
public final class MountedCredentials implements AWSCredentialsProvider {
  /** Setting that names the folder. */
  public static final String FOLDER = "featx.credentials.dir";

  private final Path folder;

  /**
   * Called by S3A (S3AUtils.createAWSCredentialProvider).
   *
   * @param uri of the bucket
   * @param conf with the folder's name
   */
  public MountedCredentials(URI uri, Configuration conf) {
    String name = conf.get("fs.s3a.bucket." + uri.getHost() + "." + FOLDER, conf.get("fs.s3a." + FOLDER));
    if (name == null) {
      throw new IllegalArgumentException("no folder of credentials is named for the bucket " + uri.getHost());
    }
    this.folder = Path.of(name);
  }

  @Override
  public AWSCredentials getCredentials() {
    String key = read("AWS_ACCESS_KEY_ID");
    String secret = read("AWS_SECRET_ACCESS_KEY");
    return Files.exists(folder.resolve("AWS_SESSION_TOKEN"))
        ? new BasicSessionCredentials(key, secret, read("AWS_SESSION_TOKEN"))
        : new BasicAWSCredentials(key, secret);
  }

  @Override
  public void refresh() {
    // Files are read each time.
  }

  private String read(String name) {
    try {
      return Files.readString(folder.resolve(name)).strip();
    } catch (IOException e) {
      throw new RunProblem(FailureClass.SECRET_INCOMPLETE,
          "Secret " + folder.getFileName() + " has no key " + name + "; add it to the Secret");
    }
  }
}
