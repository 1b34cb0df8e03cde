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
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.apache.hadoop.conf.Configuration;

/**
 * CA certificates that this JVM trusts besides Java's own: those of stores whose certificates no public authority signed.
 *
 * <p>They are PEM files in the Secrets of stores. S3A has no setting for them: its clients read Java's trust store when
 * they are created, so that is replaced. Plain GETs use the JVM's default context, which Java builds once: so it is replaced
 * too.
 */
public final class Authorities {
  /** Setting that names the files, separated by commas; missing files are skipped. */
  static final String FILES = "featx.authorities";

  private static final String PASSWORD = "changeit"; // of a file that holds nothing secret; Java wants one
  private static final Set<String> TRUSTED = ConcurrentHashMap.newKeySet();

  private Authorities() {}

  /** Trusts the files that a run's settings name. To be called before their stores are connected to. */
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
      for (Certificate known : known()) {
        store.setCertificateEntry("known-" + number++, known);
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
    replaceDefaultContext();
  }

  private static void replaceDefaultContext() throws IOException {
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, null, null); // trusts what the trust store holds by now
      SSLContext.setDefault(context);
      HttpsURLConnection.setDefaultSSLSocketFactory(context.getSocketFactory());
    } catch (GeneralSecurityException e) {
      throw new IOException("Java's default SSL context can't be replaced", e);
    }
  }

  private static X509Certificate[] known() throws GeneralSecurityException {
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
