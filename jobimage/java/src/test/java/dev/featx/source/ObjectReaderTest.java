package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import dev.featx.failure.FailureClass;
import dev.featx.failure.QuarantineReason;
import dev.featx.failure.RunProblem;
import dev.featx.image.ImageProblem;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A failure is one object's if another can be read, and its store's otherwise. */
class ObjectReaderTest {
  private static final byte[] CONTENT = {1, 2, 3};

  private final Map<String, String> failing = new ConcurrentHashMap<>(); // status and code, by key
  private final Map<String, Integer> requests = new ConcurrentHashMap<>();
  private HttpServer server;
  private Configuration conf;

  @BeforeEach
  void start() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/images/", exchange -> {
      String key = exchange.getRequestURI().getPath().substring("/images/".length());
      requests.merge(key, 1, Integer::sum);
      String[] failure = failing.getOrDefault(key, failing.getOrDefault("*", "200 ")).split(" ", 2);
      byte[] body = failure[0].equals("200") ? CONTENT
          : ("<Error><Code>" + failure[1] + "</Code><Message>hunter2</Message></Error>").getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(Integer.parseInt(failure[0]), body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
    conf = new Configuration();
    conf.set("fs.s3a.endpoint", "http://127.0.0.1:" + server.getAddress().getPort());
    conf.set("fs.s3a.endpoint.region", "us-east-1");
    conf.set("fs.s3a.aws.credentials.provider", "org.apache.hadoop.fs.s3a.AnonymousAWSCredentialsProvider");
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private ObjectReader reader(String... samples) {
    List<ShardLine.ListedObject> listed = Stream.of(samples).map(key -> new ShardLine.ListedObject(key, 3)).toList();
    return new ObjectReader(conf,
        new ReadSettings(100, null, new Patience(3, what -> {}), new ReadSettings.Samples("s3a://images/", listed), List.of()));
  }

  private static StoredObjects.StoredObject object(String key) {
    return new StoredObjects.StoredObject(key, "s3a://images/" + key, 3);
  }

  @ParameterizedTest
  @CsvSource({"403 AccessDenied", "403 InvalidObjectState", "400 KMS.DisabledException", "400 KeyTooLongError", "405 MethodNotAllowed",
      "403 SignatureDoesNotMatch"})
  void aRefusedObjectIsARowIfAnotherCanBeRead(String answer) {
    failing.put("b.jpg", answer);
    ImageProblem problem = assertThrows(ImageProblem.class, () -> reader("b.jpg", "gone.jpg", "a.jpg").read(object("b.jpg")));
    assertEquals(QuarantineReason.REFUSED, problem.reason());
    assertTrue(problem.getMessage().contains("status " + answer));
    assertFalse(problem.getMessage().contains("hunter2"));
    assertEquals(1, requests.get("b.jpg"));
  }

  @Test
  void anObjectThatWasReplacedWhileItWasReadIsARowThatSaysSo() {
    failing.put("b.jpg", "412 PreconditionFailed");
    ImageProblem problem = assertThrows(ImageProblem.class, () -> reader("b.jpg", "a.jpg").read(object("b.jpg")));
    assertEquals(QuarantineReason.MISSING, problem.reason());
    assertEquals("the object was replaced while it was read (status 412 PreconditionFailed); read it in another run", problem.getMessage());
  }

  @ParameterizedTest
  @CsvSource({"403 AccessDenied,ACCESS_DENIED", "400 ExpiredToken,ACCESS_DENIED", "404 NoSuchBucket,BUCKET_NOT_FOUND",
      "400 KeyTooLongError,STORE_ERROR", "412 PreconditionFailed,STORE_ERROR"})
  void aStoreThatRefusesAllObjectsFailsTheRunAtOnce(String answer, FailureClass failureClass) {
    failing.put("*", answer);
    RunProblem problem = assertThrows(RunProblem.class, () -> reader("a.jpg", "b.jpg", "c.jpg").read(object("b.jpg")));
    assertEquals(failureClass, problem.failureClass());
    assertTrue(problem.getMessage().contains(answer));
    assertEquals(1, requests.get("b.jpg"));
  }

  @Test
  void accessThatIsRevokedLaterFailsTheRun() throws Exception {
    ObjectReader reader = reader("a.jpg", "b.jpg");
    assertArrayEquals(CONTENT, reader.read(object("a.jpg")));
    failing.put("*", "403 AccessDenied");
    assertEquals(FailureClass.ACCESS_DENIED, assertThrows(RunProblem.class, () -> reader.read(object("b.jpg"))).failureClass());
  }

  @Test
  void anObjectThatTheStoreCannotReadIsARowAfterAFewTries() {
    failing.put("b.jpg", "500 InternalError");
    ImageProblem problem = assertThrows(ImageProblem.class, () -> reader("a.jpg").read(object("b.jpg")));
    assertEquals(QuarantineReason.UNREADABLE, problem.reason());
    assertTrue(problem.getMessage().contains("status 500 InternalError"));
    assertEquals(3, requests.get("b.jpg"));
  }

  @Test
  void anObjectThatTheStoreReadsAgainIsNoFailure() throws Exception {
    failing.put("b.jpg", "500 InternalError");
    Thread recovery = new Thread(() -> {
      while (requests.getOrDefault("b.jpg", 0) < 2) {
        Thread.onSpinWait();
      }
      failing.clear();
    });
    recovery.start();
    assertArrayEquals(CONTENT, reader("a.jpg").read(object("b.jpg")));
    recovery.join();
  }

  @ParameterizedTest
  @CsvSource({"503 SlowDown", "429 TooManyRequests", "408 RequestTimeout"})
  void aBusyStoreIsWaitedForEvenIfItServesOthers(String answer) {
    failing.put("b.jpg", answer);
    RunProblem problem = assertThrows(RunProblem.class, () -> reader("a.jpg").read(object("b.jpg")));
    assertEquals(FailureClass.STORE_UNREACHABLE, problem.failureClass());
  }

  @Test
  void aStoreThatFailsOnAllObjectsIsUnreachable() {
    failing.put("*", "500 InternalError");
    RunProblem problem = assertThrows(RunProblem.class, () -> reader("a.jpg", "c.jpg").read(object("b.jpg")));
    assertEquals(FailureClass.STORE_UNREACHABLE, problem.failureClass());
  }
}
