package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import dev.featx.failure.FailureClass;
import dev.featx.failure.Failures;
import dev.featx.failure.StoreResponse;
import dev.featx.failure.RunProblem;
import dev.featx.security.BucketSettings;
import dev.featx.security.MountedCredentials;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A store's response becomes bytes, or an exception whose class determines whether to retry. */
class BucketObjectsTest {
  private static final byte[] CONTENT = {1, 2, 3};
  private static final long CHUNKS = 0; // the server's value for a body of unknown length

  private HttpServer server;
  private Configuration conf;
  private BucketObjects objects;

  @TempDir
  private Path secret;

  @BeforeEach
  void start() throws IOException {
    Files.writeString(secret.resolve("AWS_ACCESS_KEY_ID"), "reader");
    Files.writeString(secret.resolve("AWS_SECRET_ACCESS_KEY"), "secret");
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.start();
    conf = new Configuration();
    conf.set("fs.s3a.endpoint", "http://127.0.0.1:" + server.getAddress().getPort());
    conf.set("fs.s3a.endpoint.region", "us-east-1");
    conf.set("fs.s3a.bucket.images.aws.credentials.provider", MountedCredentials.class.getName());
    conf.set("fs.s3a.bucket.images.featx.credentials.dir", secret.toString());
    conf.set("fs.s3a.bucket.public.aws.credentials.provider", "org.apache.hadoop.fs.s3a.AnonymousAWSCredentialsProvider");
    objects = new BucketObjects("images", conf);
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private void respond(int status, byte[] body, long length) {
    server.createContext("/images/", exchange -> {
      assertTrue(exchange.getRequestURI().getQuery().contains("X-Amz-Signature"));
      exchange.sendResponseHeaders(status, length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
  }

  @Test
  void anObjectIsReadCompletely() throws IOException {
    respond(200, CONTENT, CONTENT.length);
    assertArrayEquals(CONTENT, objects.fetch("a b//c.jpg", 10).bytes());
  }

  @Test
  void anonymousRequestsAreNotSigned() throws IOException {
    server.createContext("/public/", exchange -> {
      assertNull(exchange.getRequestURI().getQuery());
      assertEquals("/public/a%20b//c.jpg", exchange.getRequestURI().getRawPath());
      exchange.sendResponseHeaders(200, CONTENT.length);
      exchange.getResponseBody().write(CONTENT);
      exchange.close();
    });
    assertArrayEquals(CONTENT, new BucketObjects("public", conf).fetch("a b//c.jpg", 10).bytes());
  }

  @Test
  void aSessionTokenIsPartOfTheUrl() throws IOException {
    Files.writeString(secret.resolve("AWS_SESSION_TOKEN"), "token");
    server.createContext("/images/", exchange -> {
      assertTrue(exchange.getRequestURI().getQuery().contains("X-Amz-Security-Token=token"));
      exchange.sendResponseHeaders(200, CONTENT.length);
      exchange.getResponseBody().write(CONTENT);
      exchange.close();
    });
    assertArrayEquals(CONTENT, objects.fetch("a.jpg", 10).bytes());
  }

  /** Serves an object of 4000 bytes in ranges, and ends each response after 1500 of them. */
  private void serveInRanges(byte[] object, List<String> requests) {
    server.createContext("/images/", exchange -> {
      String range = exchange.getRequestHeaders().getFirst("Range").replace("bytes=", "");
      requests.add(range + " " + exchange.getRequestHeaders().getFirst("If-Match") + " "
          + exchange.getRequestHeaders().getFirst("x-amz-server-side-encryption-customer-algorithm"));
      int start = Integer.parseInt(range.substring(0, range.indexOf('-')));
      int end = range.endsWith("-") ? object.length : Integer.parseInt(range.substring(range.indexOf('-') + 1)) + 1;
      exchange.getResponseHeaders().set("ETag", "\"v1\"");
      exchange.getResponseHeaders().set("Content-Range", "bytes " + start + "-" + (end - 1) + "/" + object.length);
      exchange.sendResponseHeaders(206, end - start);
      exchange.getResponseBody().write(object, start, Math.min(1500, end - start));
      exchange.getResponseBody().flush();
      exchange.close();
    });
  }

  @Test
  void aLostConnectionIsResumedInTheSameVersionWithTheKeyOfTheObject() throws IOException {
    conf.set("fs.s3a.bucket.images.featx.sse.customer.key", "true");
    Files.writeString(secret.resolve("SSE_CUSTOMER_KEY"), Base64.getEncoder().encodeToString(new byte[32]));
    byte[] object = new byte[4000];
    new Random(7).nextBytes(object);
    List<String> requests = new ArrayList<>();
    serveInRanges(object, requests);
    objects = new BucketObjects("images", conf);
    assertEquals(object.length, objects.size("a.tar"));
    try (BucketStream stream = new BucketStream(objects, "a.tar", object.length)) {
      assertArrayEquals(object, stream.readAllBytes());
      stream.seek(3999);
      assertEquals(object[3999], (byte) stream.read());
      assertEquals(-1, stream.read());
    }
    assertEquals("0-0 null AES256", requests.get(0));
    assertEquals("0- null AES256", requests.get(1));
    assertEquals("1500- \"v1\" AES256", requests.get(2));
  }

  @Test
  void aPackedObjectThatIsRefusedHasTheStoresCode() {
    byte[] body = "<Error><Code>InvalidObjectState</Code></Error>".getBytes(StandardCharsets.UTF_8);
    respond(403, body, body.length);
    StoreResponse refused = assertThrows(StoreResponse.class, () -> objects.size("a.tar"));
    assertTrue(Failures.isArchivedObject(refused));
    assertThrows(StoreResponse.class, () -> new BucketStream(objects, "a.tar", 10).read());
  }

  @Test
  void headersArePartOfTheSignature() throws IOException {
    conf.set("fs.s3a.bucket.images.featx.header.x-amz-expected-bucket-owner", "123456789012");
    conf.set("fs.s3a.bucket.images.requester.pays.enabled", "true");
    conf.set("fs.s3a.bucket.images.featx.sse.customer.key", "true");
    Files.writeString(secret.resolve("SSE_CUSTOMER_KEY"), Base64.getEncoder().encodeToString(new byte[32]) + "\n");
    server.createContext("/images/", exchange -> {
      Map<String, String> expected = Map.of("x-amz-expected-bucket-owner", "123456789012", "x-amz-request-payer", "requester",
          "x-amz-server-side-encryption-customer-algorithm", "AES256", "x-amz-server-side-encryption-customer-key",
          Base64.getEncoder().encodeToString(new byte[32]), "x-amz-server-side-encryption-customer-key-md5",
          "cLyPS3KoaSFGi/joRB3OUQ==");
      expected.forEach((name, value) -> assertEquals(value, exchange.getRequestHeaders().getFirst(name)));
      String query = exchange.getRequestURI().getQuery();
      expected.keySet().forEach(name -> assertTrue(query.contains(name)));
      exchange.sendResponseHeaders(200, CONTENT.length);
      exchange.getResponseBody().write(CONTENT);
      exchange.close();
    });
    assertArrayEquals(CONTENT, new BucketObjects("images", conf).fetch("a.jpg", 10).bytes());
  }

  @ParameterizedTest
  @CsvSource({"hunter2", "''"})
  void aSecretWithoutAUsableKeyIsNamedWithoutItsValue(String value) throws IOException {
    conf.set("fs.s3a.bucket.images.featx.sse.customer.key", "true");
    Files.writeString(secret.resolve("SSE_CUSTOMER_KEY"), value);
    RunProblem problem = assertThrows(RunProblem.class, () -> new BucketObjects("images", conf));
    assertEquals(FailureClass.SECRET_INCOMPLETE, problem.failureClass());
    assertTrue(problem.getMessage().contains("SSE_CUSTOMER_KEY"));
    assertFalse(problem.getMessage().contains("hunter2"));
  }

  @Test
  void aBucketMayBePartOfTheHost() throws IOException {
    conf.set("fs.s3a.bucket.images.path.style.access", "false");
    conf.set("fs.s3a.endpoint", "https://store.test:8333");
    String address = new SignedAddresses(new BucketSettings("images", conf), Map.of()).of("a b/c.jpg").toString();
    assertTrue(address.startsWith("https://images.store.test:8333/a%20b/c.jpg?"), address);
  }

  @Test
  void anObjectMayArriveInChunks() throws IOException {
    respond(200, CONTENT, CHUNKS);
    assertArrayEquals(CONTENT, objects.fetch("a.jpg", 3).bytes());
  }

  @ParameterizedTest
  @CsvSource({"3", "0"})
  void anObjectAboveTheLimitIsNotRead(long length) throws IOException {
    respond(200, CONTENT, length);
    assertEquals(new Fetched(3, null), objects.fetch("a.jpg", 2));
  }

  @Test
  void anInterruptedResponseIsRetryable() {
    respond(200, CONTENT, 4);
    IOException problem = assertThrows(IOException.class, () -> objects.fetch("a.jpg", 10));
    assertFalse(problem instanceof FileNotFoundException || problem instanceof AccessDeniedException);
  }

  @ParameterizedTest
  @CsvSource({"403,AccessDenied,ACCESS_DENIED", "403,InvalidObjectState,ACCESS_DENIED", "400,ExpiredToken,ACCESS_DENIED",
      "404,NoSuchBucket,BUCKET_NOT_FOUND", "400,KeyTooLongError,STORE_ERROR", "301,PermanentRedirect,STORE_ERROR",
      "503,SlowDown,STORE_UNREACHABLE", "400,RequestTimeout,STORE_UNREACHABLE", "500,InternalError,STORE_UNREACHABLE"})
  void refusalsAreReportedWithoutTheSignature(int status, String code, FailureClass failureClass) {
    respond(status, error(code), error(code).length);
    IOException problem = assertThrows(StoreResponse.class, () -> objects.fetch("a.jpg", 10));
    assertEquals(failureClass, Failures.of(problem).failureClass());
    assertTrue(problem.getMessage().contains("s3://images/a.jpg"));
    assertTrue(problem.getMessage().contains("status " + status + " " + code));
    assertFalse(Failures.of(problem).toString().contains("X-Amz"));
  }

  @Test
  void aMissingObjectIsNotAMissingBucket() {
    respond(404, error("NoSuchKey"), error("NoSuchKey").length);
    assertThrows(FileNotFoundException.class, () -> objects.fetch("a.jpg", 10));
  }

  @ParameterizedTest
  @CsvSource({"<html>hunter2</html>", "<Code>hunter2 hunter2</Code>", "''"})
  void whatAProxyRespondsIsNotQuoted(String body) {
    respond(403, body.getBytes(StandardCharsets.UTF_8), body.isEmpty() ? -1 : body.length());
    IOException problem = assertThrows(StoreResponse.class, () -> objects.fetch("a.jpg", 10));
    assertTrue(problem.getMessage().contains("status 403 for"));
    assertFalse(problem.toString().contains("hunter2"));
  }

  @ParameterizedTest
  @CsvSource({"200,true", "206,true", "416,true", "403,false", "503,false"})
  void anObjectIsCheckedByItsFirstByte(int status, boolean readable) throws IOException {
    server.createContext("/images/", exchange -> {
      assertEquals("bytes=0-0", exchange.getRequestHeaders().getFirst("Range"));
      exchange.sendResponseHeaders(status, -1);
      exchange.close();
    });
    if (readable) {
      objects.check("a.jpg");
    } else {
      assertThrows(StoreResponse.class, () -> objects.check("a.jpg"));
    }
  }

  private static byte[] error(String code) {
    return ("<Error><Code>" + code + "</Code></Error>").getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void aKeyNamedLikeARefusalIsNotARefusal() {
    byte[] body = "<Error><Code>SlowDown</Code><Key>ExpiredToken.jpg</Key></Error>".getBytes(StandardCharsets.UTF_8);
    respond(503, body, body.length);
    IOException problem = assertThrows(IOException.class, () -> objects.fetch("ExpiredToken.jpg", 10));
    assertEquals(FailureClass.STORE_UNREACHABLE, Failures.of(problem).failureClass());
  }
}
