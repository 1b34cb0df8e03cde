package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import dev.featx.security.UrlHosts;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.security.NoSuchAlgorithmException;
import java.security.cert.CertificateException;
import java.util.Date;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.apache.http.Header;
import org.apache.http.HttpEntity;
import org.apache.http.HttpHost;
import org.apache.http.HttpStatus;
import org.apache.http.MessageConstraintException;
import org.apache.http.client.config.RequestConfig;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.client.utils.DateUtils;
import org.apache.http.config.ConnectionConfig;
import org.apache.http.config.MessageConstraints;
import org.apache.http.config.Registry;
import org.apache.http.config.RegistryBuilder;
import org.apache.http.config.SocketConfig;
import org.apache.http.conn.ConnectTimeoutException;
import org.apache.http.conn.socket.ConnectionSocketFactory;
import org.apache.http.conn.socket.PlainConnectionSocketFactory;
import org.apache.http.conn.ssl.SSLConnectionSocketFactory;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.impl.conn.PoolingHttpClientConnectionManager;
import org.apache.http.message.BasicHeader;

/**
 * Fetches images from the web, whose hosts and responses are untrusted.
 *
 * <p>Apache's client connects to the addresses that {@link UrlHosts} has checked, where Java's own resolves a name again. It
 * has no proxy, no cookies and no credentials, asks for no compression and follows no redirect by itself.
 */
final class UrlClient implements Closeable {
  private static final String USER_AGENT = "Featx (image features; robots.txt is not read)";
  private static final int CHUNK = 64 << 10;
  private static final int LONGEST_LINE = 16 << 10; // of a response's headers
  private static final int MOST_HEADERS = 200;
  private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);
  private static final Set<Integer> BUSY = Set.of(429, 503);
  private static final Set<Integer> PASSING = Set.of(408, 421, 425, 500, 502, 504);
  private static final ScheduledExecutorService DEADLINES = Executors.newSingleThreadScheduledExecutor(task -> {
    Thread thread = new Thread(task, "url-deadlines");
    thread.setDaemon(true);
    return thread;
  });

  private final UrlHosts hosts;
  private final Limits limits;
  private final CloseableHttpClient client;

  /**
   * Limits of a request.
   *
   * @param maxBytes larger images are not read
   * @param silenceMillis longest time without a connection, or without a byte on it
   * @param totalMillis longest time of the whole request
   */
  record Limits(long maxBytes, long silenceMillis, long totalMillis) {}

  /** Memory for a response's body. */
  interface Room {
    /** Reserves room for a body of this size, including what was reserved before, or returns that there is none. */
    boolean reserve(long bytes);
  }

  UrlClient(UrlHosts hosts, Limits limits, int connections) {
    this.hosts = hosts;
    this.limits = limits;
    int silence = (int) limits.silenceMillis();
    PoolingHttpClientConnectionManager pool = new PoolingHttpClientConnectionManager(factories(), hosts::resolve);
    pool.setMaxTotal(connections);
    pool.setDefaultMaxPerRoute(connections);
    pool.setDefaultSocketConfig(SocketConfig.custom().setSoTimeout(silence).build()); // also of a TLS handshake
    pool.setDefaultConnectionConfig(ConnectionConfig.custom().setCharset(StandardCharsets.ISO_8859_1)
        .setMalformedInputAction(CodingErrorAction.REPLACE).setUnmappableInputAction(CodingErrorAction.REPLACE)
        .setMessageConstraints(MessageConstraints.custom().setMaxLineLength(LONGEST_LINE).setMaxHeaderCount(MOST_HEADERS).build())
        .build());
    RequestConfig request = RequestConfig.custom().setConnectTimeout(silence).setConnectionRequestTimeout(silence)
        .setSocketTimeout(silence).setNormalizeUri(false).setRedirectsEnabled(false).setAuthenticationEnabled(false).build();
    this.client = HttpClients.custom().setConnectionManager(pool).setDefaultRequestConfig(request).setUserAgent(USER_AGENT)
        .setDefaultHeaders(List.of(new BasicHeader("Accept", "image/*, */*;q=0.5")))
        .disableRedirectHandling().disableAutomaticRetries().disableContentCompression().disableCookieManagement()
        .disableAuthCaching().disableConnectionState().build();
  }

  private static Registry<ConnectionSocketFactory> factories() {
    try {
      return RegistryBuilder.<ConnectionSocketFactory>create().register(ImageUrl.HTTP, PlainConnectionSocketFactory.getSocketFactory())
          .register(ImageUrl.HTTPS, new SSLConnectionSocketFactory(SSLContext.getDefault())).build();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Requests an image once.
   *
   * @param url of the image
   * @param room for its bytes
   */
  UrlResult fetch(ImageUrl url, Room room) {
    String refusal = hosts.refusal(url.host(), url.port(), url.authority());
    if (refusal != null) {
      return new UrlResult.Failed(url.refused(refusal));
    }
    HttpGet get = new HttpGet(url.uri());
    ScheduledFuture<?> deadline = DEADLINES.schedule(get::abort, limits.totalMillis(), TimeUnit.MILLISECONDS);
    boolean answered = false;
    try (CloseableHttpResponse response = client.execute(new HttpHost(url.host(), url.uri().getPort(), url.scheme()), get)) {
      answered = true;
      UrlResult result = result(url, response, room);
      if (!(result instanceof UrlResult.Bytes)) {
        get.abort(); // rather than read a body that nobody needs
      }
      return result;
    } catch (IOException | IllegalStateException e) { // the latter if it was aborted in between
      return failure(url, e, get.isAborted(), answered);
    } finally {
      deadline.cancel(false);
    }
  }

  private UrlResult result(ImageUrl url, CloseableHttpResponse response, Room room) throws IOException {
    int status = response.getStatusLine().getStatusCode();
    Header location = response.getFirstHeader("Location");
    if (REDIRECTS.contains(status) && location != null) {
      try {
        return new UrlResult.Redirect(url.redirected(location.getValue()));
      } catch (ImageProblem e) {
        return new UrlResult.Failed(e);
      }
    }
    if (BUSY.contains(status)) {
      return new UrlResult.Busy(status, pause(response.getFirstHeader("Retry-After")));
    }
    String responded = "responded with status " + status;
    if (PASSING.contains(status)) {
      return new UrlResult.Retry(responded, true);
    }
    if (status == HttpStatus.SC_NOT_FOUND || status == HttpStatus.SC_GONE) {
      return new UrlResult.Failed(url.problem(QuarantineReason.MISSING, responded));
    }
    if (status != HttpStatus.SC_OK) {
      return new UrlResult.Failed(url.refused(responded));
    }
    HttpEntity entity = response.getEntity();
    if (entity == null) {
      return new UrlResult.Bytes(new byte[0]);
    }
    Header encoding = entity.getContentEncoding();
    try {
      UrlBody body = UrlBody.of(url, entity.getContent(), encoding == null ? "" : encoding.getValue());
      try {
        return body(body.stream(), body.isDecoded() ? -1 : entity.getContentLength(), room);
      } catch (IOException e) {
        if (!body.isDamaged()) {
          throw e;
        }
        return new UrlResult.Failed(url.problem(QuarantineReason.DAMAGED, "responded with bytes that do not have their Content-Encoding"));
      }
    } catch (ImageProblem e) {
      return new UrlResult.Failed(e);
    }
  }

  private UrlResult body(InputStream stream, long length, Room room) throws IOException {
    if (length > limits.maxBytes()) {
      return new UrlResult.Failed(ImageProblem.tooLarge(length, limits.maxBytes()));
    }
    if (length > 0 && !room.reserve(length)) {
      return new UrlResult.NoRoom(length);
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream((int) Math.max(CHUNK, length));
    byte[] chunk = new byte[CHUNK];
    for (int read = stream.read(chunk); read >= 0; read = stream.read(chunk)) {
      bytes.write(chunk, 0, read);
      if (bytes.size() > limits.maxBytes()) {
        return new UrlResult.Failed(ImageProblem.tooLarge(bytes.size(), limits.maxBytes()));
      }
      if (length < 0 && !room.reserve(2L * bytes.size())) { // the stream's array grows by doubling
        return new UrlResult.NoRoom(2 * limits.maxBytes());
      }
    }
    return new UrlResult.Bytes(bytes.toByteArray());
  }

  /** Returns the milliseconds that a host wants to be left alone, as seconds or as a date. */
  private static long pause(Header retryAfter) {
    if (retryAfter == null) {
      return 0;
    }
    String value = retryAfter.getValue().strip();
    if (value.matches("[0-9]{1,9}")) {
      return TimeUnit.SECONDS.toMillis(Long.parseLong(value));
    }
    Date date = DateUtils.parseDate(value);
    return date == null ? 0 : Math.max(0, date.getTime() - System.currentTimeMillis());
  }

  /** Returns a failed request's result, without the texts of exceptions, which quote URLs and what servers sent. */
  private UrlResult failure(ImageUrl url, Exception thrown, boolean aborted, boolean answered) {
    if (aborted) {
      return new UrlResult.Retry("took longer than " + limits.totalMillis() / 1000 + " s", answered);
    }
    if (thrown instanceof UrlHosts.RefusedHostException refused) {
      return new UrlResult.Failed(url.refused(refused.reason()));
    }
    if (thrown instanceof UnknownHostException) {
      return new UrlResult.Retry("has a host that cannot be resolved, or one without a public address, which must be listed by"
          + " its name in allowed.urlHosts", false);
    }
    if (thrown instanceof SocketTimeoutException || thrown instanceof ConnectTimeoutException) {
      return new UrlResult.Retry("did not respond for " + limits.silenceMillis() / 1000 + " s", answered);
    }
    if (thrown instanceof SSLPeerUnverifiedException || thrown.getCause() instanceof CertificateException) {
      return new UrlResult.Failed(url.problem(QuarantineReason.UNREADABLE, "has a certificate that is not trusted, or not the host's"));
    }
    if (thrown instanceof MessageConstraintException) {
      return new UrlResult.Retry("responded with too many headers, or too long ones", true); // a host that is not down
    }
    return new UrlResult.Retry(answered ? "broke off the response" : "has a host that does not accept connections", answered);
  }

  @Override
  public void close() {
    try {
      client.close();
    } catch (IOException e) {
      // Connections are gone either way.
    }
  }
}
