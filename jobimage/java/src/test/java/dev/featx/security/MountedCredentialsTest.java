package dev.featx.security;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Credentials are read from a mounted Secret, whose missing keys are reported. */
class MountedCredentialsTest {
  @Test
  void anIncompleteSecretIsNamedWithoutItsContent(@TempDir Path folder) throws IOException {
    Path secret = Files.createDirectory(folder.resolve("store"));
    Files.writeString(secret.resolve("AWS_ACCESS_KEY_ID"), "hidden");
    Configuration conf = new Configuration(false);
    conf.set("fs.s3a.bucket.images.featx.credentials.dir", secret.toString());
    MountedCredentials credentials = new MountedCredentials(URI.create("s3a://images"), conf);
    RunProblem problem = assertThrows(RunProblem.class, credentials::resolveCredentials);
    assertEquals(FailureClass.SECRET_INCOMPLETE, problem.failureClass());
    assertEquals("Secret store has no key AWS_SECRET_ACCESS_KEY; add it to the Secret", problem.getMessage());
    assertFalse(problem.toString().contains("hidden"));
    Files.writeString(secret.resolve("AWS_SECRET_ACCESS_KEY"), "\n");
    problem = assertThrows(RunProblem.class, credentials::resolveCredentials);
    assertEquals("Secret store has an empty key AWS_SECRET_ACCESS_KEY; add it to the Secret", problem.getMessage());
  }
}
