package dev.featx.security;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;

/**
 * Credentials for one bucket's store, read from the files of a mounted Secret.
 *
 * <p>They never appear in a Spark setting, argument, environment variable or ConfigMap, and a changed Secret takes effect
 * without a restart. fs.s3a.bucket.BUCKET.featx.credentials.dir names the folder.
 */
public final class MountedCredentials implements AwsCredentialsProvider {
  /** Setting with the folder. */
  public static final String FOLDER = "featx.credentials.dir";

  private final Path folder;

  /**
   * Called by S3A (CredentialProviderListFactory).
   *
   * @param uri of the bucket
   * @param conf contains the folder
   */
  public MountedCredentials(URI uri, Configuration conf) {
    String name = new BucketSettings(uri.getHost(), conf).get(FOLDER);
    if (name == null) {
      throw new IllegalArgumentException("no folder of credentials is configured for the bucket " + uri.getHost());
    }
    this.folder = Path.of(name);
  }

  @Override
  public AwsCredentials resolveCredentials() {
    // Read the files on every call.
    String key = read("AWS_ACCESS_KEY_ID");
    String secret = read("AWS_SECRET_ACCESS_KEY");
    return Files.exists(folder.resolve("AWS_SESSION_TOKEN"))
        ? AwsSessionCredentials.create(key, secret, read("AWS_SESSION_TOKEN"))
        : AwsBasicCredentials.create(key, secret);
  }

  private String read(String name) {
    String value;
    try {
      value = Files.readString(folder.resolve(name)).strip();
    } catch (IOException e) {
      throw incomplete(name, "has no key ");
    }
    if (value.isEmpty()) {
      throw incomplete(name, "has an empty key ");
    }
    return value;
  }

  private RunProblem incomplete(String name, String problem) {
    return new RunProblem(FailureClass.SECRET_INCOMPLETE,
        "Secret " + folder.getFileName() + " " + problem + name + "; add it to the Secret");
  }
}
