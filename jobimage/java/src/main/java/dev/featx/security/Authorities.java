package dev.featx.security;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateFactory;
import java.util.HashSet;
import java.util.Set;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import org.apache.hadoop.conf.Configuration;

/**
 * CA certificates that this JVM trusts besides Java's own: those of stores whose certificates no public authority signed.
 *
 * <p>They are PEM files in the Secrets of stores. S3A has no setting for them, so they are part of the JVM's default SSL
 * context. S3A keeps the context that it finds first, whether or not its store has certificates: so the context is replaced
 * before the first connection, and authorities are added to it later.
 */
public final class Authorities {
  /** Setting that names the files, separated by commas; missing files are skipped. */
  static final String FILES = "featx.authorities";

  private static final Set<String> TRUSTED = new HashSet<>();
  private static TrustedCertificates certificates;

  private Authorities() {}

  /** Trusts the files that a run's settings name. To be called before anything connects to a store. */
  public static synchronized void trust(Configuration conf) throws IOException {
    try {
      if (certificates == null) {
        TrustedCertificates created = new TrustedCertificates();
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {created}, null);
        SSLContext.setDefault(context);
        certificates = created;
      }
    } catch (GeneralSecurityException e) {
      throw new IOException("Java's default SSL context can't be replaced", e);
    }
    for (String file : conf.getTrimmedStrings(FILES)) {
      if (!TRUSTED.contains(file) && Files.exists(Path.of(file))) {
        add(Path.of(file));
        TRUSTED.add(file);
      }
    }
  }

  private static void add(Path file) throws IOException {
    try (InputStream pem = Files.newInputStream(file)) {
      certificates.add(CertificateFactory.getInstance("X.509").generateCertificates(pem));
    } catch (GeneralSecurityException e) {
      throw new RunProblem(FailureClass.SECRET_INCOMPLETE,
          "Secret " + file.getParent().getFileName() + " has no valid certificates in " + file.getFileName(), e);
    }
  }
}
