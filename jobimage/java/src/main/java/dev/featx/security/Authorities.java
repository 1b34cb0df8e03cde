package dev.featx.security;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.apache.hadoop.conf.Configuration;

/**
 * CA certificates that this JVM trusts in addition to its own, for stores with certificates of a private CA.
 *
 * <p>They are PEM files in the stores' Secrets. S3A has no setting for them, so they are added to the JVM's trust store
 * before its first connection.
 */
public final class Authorities {
  /** Setting with the comma-separated files; missing files are skipped. */
  static final String FILES = "featx.authorities";

  private static final String PASSWORD = "changeit"; // Java requires one, although the file contains no secrets
  private static final Set<String> TRUSTED = ConcurrentHashMap.newKeySet();

  private Authorities() {}

  /** Trusts the certificates named in a run's settings, unless they are trusted already. */
  public static synchronized void trust(Configuration conf) throws IOException {
    for (String file : conf.getTrimmedStrings(FILES)) {
      if (!TRUSTED.contains(file) && Files.exists(Path.of(file))) {
        trust(Path.of(file));
        TRUSTED.add(file);
      }
    }
  }

  private static void trust(Path file) throws IOException {
    Path trustStore = Files.createTempFile("trusted", ".p12");
    trustStore.toFile().deleteOnExit();
    try (InputStream pem = Files.newInputStream(file); OutputStream stream = Files.newOutputStream(trustStore)) {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      int number = 0;
      for (Certificate builtIn : builtIn()) {
        store.setCertificateEntry("builtin-" + number++, builtIn);
      }
      for (Certificate added : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
        store.setCertificateEntry("added-" + number++, added);
      }
      store.store(stream, PASSWORD.toCharArray());
    } catch (GeneralSecurityException e) {
      throw new RunProblem(FailureClass.SECRET_INCOMPLETE,
          "Secret " + file.getParent().getFileName() + " has no valid certificates in " + file.getFileName(), e);
    }
    System.setProperty("javax.net.ssl.trustStoreType", "PKCS12");
    System.setProperty("javax.net.ssl.trustStorePassword", PASSWORD);
    System.setProperty("javax.net.ssl.trustStore", trustStore.toString());
  }

  private static X509Certificate[] builtIn() throws GeneralSecurityException {
    TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init((KeyStore) null);
    for (TrustManager manager : factory.getTrustManagers()) {
      if (manager instanceof X509TrustManager trusting) {
        return trusting.getAcceptedIssuers();
      }
    }
    return new X509Certificate[0];
  }
}
