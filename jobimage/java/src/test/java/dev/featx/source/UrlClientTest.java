package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.image.ImageProblem;
import dev.featx.security.UrlHosts;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** One request, whatever a server sends; and how its result counts for the row and its host. */
class UrlClientTest {
  private static final UrlClient.Limits LIMITS = new UrlClient.Limits(1000, 20_000, 60_000);
  private static final UrlClient.Limits IMPATIENT = new UrlClient.Limits(1000, 20_000, 1500);

  private final AtomicInteger connections = new AtomicInteger();
  private ServerSocket server;
  private volatile String response = "";
  private volatile int pauseMillis; // before each byte

  @BeforeEach
  void start() throws IOException {
    server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread thread = new Thread(() -> {
      while (!server.isClosed()) {
        try (Socket socket = server.accept()) {
          connections.incrementAndGet();
          socket.getInputStream().read(new byte[4096]);
          OutputStream stream = socket.getOutputStream();
          for (byte one : response.getBytes(StandardCharsets.ISO_8859_1)) {
            stream.write(one);
            if (pauseMillis > 0) {
              Thread.sleep(pauseMillis);
            }
          }
        } catch (IOException | InterruptedException e) {
          // The client has left, or the test is over.
        }
      }
    });
    thread.setDaemon(true);
    thread.start();
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
  }

  private String authority() {
    return "127.0.0.1:" + server.getLocalPort();
  }

  private UrlResult fetch(String listed, UrlClient.Room room) throws ImageProblem {
    return fetch(listed, room, LIMITS);
  }

  private UrlResult fetch(String listed, UrlClient.Room room, UrlClient.Limits limits) throws ImageProblem {
    try (UrlClient client = new UrlClient(new UrlHosts(List.of(listed)), limits, 2)) {
      return client.fetch(ImageUrl.of("http://" + authority() + "/a.jpg?hunter2"), room);
    }
  }

  private UrlResult fetch(String answer) throws ImageProblem {
    response = answer;
    return fetch(authority(), bytes -> true);
  }

  @Test
  void theBytesOfAnImageAreReturnedAsTheyAre() throws ImageProblem {
    String body = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\nabc";
    assertArrayEquals("abc".getBytes(StandardCharsets.UTF_8), assertInstanceOf(UrlResult.Bytes.class, fetch(body)).bytes());
  }

  @Test
  void anImageThatIsStoredCompressedIsDecompressedUpToTheLimit() throws Exception {
    for (int size : new int[] {900, 1_000_000}) {
      byte[] image = new byte[size];
      ByteArrayOutputStream stored = new ByteArrayOutputStream();
      try (GZIPOutputStream stream = new GZIPOutputStream(stored)) {
        stream.write(image);
      }
      UrlResult result = fetch("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + stored.size() + "\r\n\r\n"
          + stored.toString(StandardCharsets.ISO_8859_1));
      if (size < LIMITS.maxBytes()) {
        assertArrayEquals(image, assertInstanceOf(UrlResult.Bytes.class, result).bytes());
      } else {
        assertEquals("TooLarge", assertInstanceOf(UrlResult.Failed.class, result).problem().reason().label());
      }
    }
  }

  private static String encoded(String name, byte[] body) {
    return "HTTP/1.1 200 OK\r\nContent-Encoding: " + name + "\r\nContent-Length: " + body.length + "\r\n\r\n"
        + new String(body, StandardCharsets.ISO_8859_1);
  }

  @Test
  void anImageThatIsStoredDeflatedIsDecompressedWithAndWithoutTheHeaderOfZlib() throws Exception {
    byte[] image = "an image".repeat(50).getBytes(StandardCharsets.UTF_8);
    for (boolean raw : new boolean[] {false, true}) {
      Deflater deflater = new Deflater(9, raw);
      deflater.setInput(image);
      deflater.finish();
      byte[] stored = new byte[1000];
      stored = Arrays.copyOf(stored, deflater.deflate(stored));
      assertArrayEquals(image, assertInstanceOf(UrlResult.Bytes.class, fetch(encoded("Deflate", stored))).bytes());
    }
    UrlResult damaged = fetch(encoded("deflate", "no zlib at all".getBytes(StandardCharsets.UTF_8)));
    assertEquals("Damaged", assertInstanceOf(UrlResult.Failed.class, damaged).problem().reason().label());
  }

  @Test
  void anEncodingThatIsNotReadIsNamedUnlessTheBodyIsAnImageAsItIs() throws Exception {
    byte[] other = "other bytes".getBytes(StandardCharsets.UTF_8);
    for (String name : new String[] {"br", "zstd", "compress"}) {
      ImageProblem problem = assertInstanceOf(UrlResult.Failed.class, fetch(encoded(name, other))).problem();
      assertEquals("Unsupported", problem.reason().label());
      assertTrue(problem.getMessage().contains("Content-Encoding " + name + " "), problem.getMessage());
    }
    ImageProblem unknown = assertInstanceOf(UrlResult.Failed.class, fetch(encoded("secret, gzip", other))).problem();
    assertFalse(unknown.getMessage().contains("secret"), unknown.getMessage());
    byte[] jpeg = {(byte) 0xff, (byte) 0xd8, (byte) 0xff, (byte) 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    assertArrayEquals(jpeg, assertInstanceOf(UrlResult.Bytes.class, fetch(encoded("br", jpeg))).bytes());
  }

  @Test
  void aHostWhoseResponseHasTooManyHeadersIsNotDown() throws ImageProblem {
    String answer = "HTTP/1.1 200 OK\r\n" + "A: b\r\n".repeat(300) + "\r\n";
    assertTrue(assertInstanceOf(UrlResult.Retry.class, fetch(answer)).answered());
  }

  @Test
  void aHostThatIsNotListedIsNotConnectedTo() throws ImageProblem {
    for (String listed : List.of("*", "localhost", "127.0.0.1", "127.0.0.1:1", "*.0.0.1")) {
      ImageProblem problem = assertInstanceOf(UrlResult.Failed.class, fetch(listed, bytes -> true)).problem();
      assertTrue(problem.getMessage().contains("allowed.urlHosts"));
      assertFalse(problem.getMessage().contains("hunter2"));
    }
    assertEquals(0, connections.get());
  }

  /** Fetches from this machine by a name that leads to it, and is listed. */
  private UrlResult fetchByName(String host, String apiServer) throws ImageProblem {
    String authority = host + ":" + server.getLocalPort();
    InetAddress[] loopback = {InetAddress.getLoopbackAddress()};
    try (UrlClient client = new UrlClient(new UrlHosts(List.of(authority), name -> loopback, apiServer), LIMITS, 2)) {
      return client.fetch(ImageUrl.of("http://" + authority + "/"), bytes -> true);
    }
  }

  @Test
  void aNameThatLeadsToLoopbackIsNotConnectedToAlthoughItIsListed() throws ImageProblem {
    UrlResult result = fetchByName("loops.example", "10.96.0.1");
    assertTrue(assertInstanceOf(UrlResult.Retry.class, result).cause().contains("without a public address"));
    ImageProblem problem = assertInstanceOf(UrlResult.Failed.class, fetchByName("loops.example", null)).problem();
    assertEquals("Refused", problem.reason().label());
    assertTrue(problem.getMessage().contains("which no name but localhost may lead to"), problem.getMessage());
    assertEquals(0, connections.get());
  }

  @Test
  void localhostIsFetchedFromIfItIsListed() throws ImageProblem {
    response = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    assertInstanceOf(UrlResult.Bytes.class, fetchByName("localhost", null));
  }

  @ParameterizedTest
  @CsvSource({"404,Missing", "410,Missing", "400,Refused", "401,Refused", "403,Refused", "407,Refused", "451,Refused", "206,Refused",
      "304,Refused", "300,Refused"})
  void aRefusalIsFinalAndHasTheStatus(int status, String reason) throws ImageProblem {
    UrlResult result = fetch("HTTP/1.1 " + status + " hunter2\r\nContent-Length: 7\r\n\r\nhunter2");
    ImageProblem problem = assertInstanceOf(UrlResult.Failed.class, result).problem();
    assertEquals(reason, problem.reason().label());
    assertTrue(problem.getMessage().endsWith("/a.jpg responded with status " + status));
  }

  @ParameterizedTest
  @CsvSource({"429,7,7000", "503,0,0", "429,soon,0", "503,'Wed, 21 Oct 2015 07:28:00 GMT',0", "429,999999999,999999999000", "503,-5,0"})
  void aBusyHostSaysWhenToComeBack(int status, String after, long millis) throws ImageProblem {
    UrlResult result = fetch("HTTP/1.1 " + status + " Busy\r\nRetry-After: " + after + "\r\nContent-Length: 0\r\n\r\n");
    assertEquals(new UrlResult.Busy(status, millis), result);
  }

  @ParameterizedTest
  @CsvSource({"HTTP/1.1 500 Error|Content-Length: 0||,true", "HTTP/1.1 200 OK|Content-Length: 9||abc,true", "nonsense|,false", "'',false",
      "HTTP/1.1 200 OK|Transfer-Encoding: chunked||zz|abc,true"})
  void whatMayPassIsRequestedAgain(String answer, boolean answered) throws ImageProblem {
    assertEquals(answered, assertInstanceOf(UrlResult.Retry.class, fetch(answer.replace("|", "\r\n"))).answered());
  }

  @Test
  void headersWithoutAnEndAndABodyThatTricklesEndWithTheTime() throws ImageProblem {
    pauseMillis = 50;
    for (String endless : List.of("HTTP/1.1 200 OK\r\n" + "A: b\r\n".repeat(100), "HTTP/1.1 200 OK\r\n\r\n" + "a".repeat(999))) {
      response = endless;
      UrlResult.Retry retry = assertInstanceOf(UrlResult.Retry.class, fetch(authority(), bytes -> true, IMPATIENT));
      assertEquals("took longer than 1 s", retry.cause());
    }
  }

  @Test
  void hugeHeadersAndBodiesAreNotRead() throws ImageProblem {
    assertInstanceOf(UrlResult.Retry.class, fetch("HTTP/1.1 200 OK\r\nA: " + "b".repeat(100_000)));
    for (String header : List.of("Content-Length: 1001\r\n", "Content-Length: 99999999999\r\n", "")) {
      UrlResult result = fetch("HTTP/1.1 200 OK\r\n" + header + "\r\n" + "a".repeat(5000));
      assertEquals("TooLarge", assertInstanceOf(UrlResult.Failed.class, result).problem().reason().label());
    }
  }

  @Test
  void aBodyWithoutRoomIsAskedForAgain() throws ImageProblem {
    response = "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + "a".repeat(900);
    assertEquals(new UrlResult.NoRoom(900), fetch(authority(), bytes -> bytes < 900));
  }

  @Test
  void aRedirectIsAResultOfItsOwn() throws ImageProblem {
    UrlResult result = fetch("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/a\r\nContent-Length: 0\r\n\r\n");
    assertEquals("169.254.169.254", assertInstanceOf(UrlResult.Redirect.class, result).target().host());
    assertEquals(1, connections.get());
  }

  private static UrlRow row(String url) throws ImageProblem {
    return new UrlRow(new Image("key", 0, () -> new byte[0]), ImageUrl.of(url), 1);
  }

  @Test
  void aHostThatDoesNotRespondIsDownForAMinuteAndThenTriedOnce() throws ImageProblem {
    UrlRow row = row("http://down.example/0");
    for (int i = 1; i <= 4; i++) {
      assertEquals(UrlHostState.Admission.BEGUN, row.host().begin(0));
      assertNull(row("http://down.example/" + i).after(new UrlResult.Retry("was silent", false), 0, 1000));
    }
    assertEquals(UrlHostState.Admission.DOWN, row.host().begin(59_999));
    assertEquals(UrlHostState.Admission.BEGUN, row.host().begin(60_000));
    assertEquals(UrlHostState.Admission.LATER, row.host().begin(60_000));
    row.host().responded(60_000);
    assertEquals(UrlHostState.Admission.BEGUN, row.host().begin(60_001));
  }

  @Test
  void aUrlThatNeverRespondsIsTriedFourTimesAndDoesNotMakeItsHostCountAsDown() throws ImageProblem {
    UrlRow row = row("http://partly.example/silent");
    for (int tries = 1; tries <= 4; tries++) {
      row.host().begin(0);
      row.begin(0);
      assertEquals(tries == 4, row.after(new UrlResult.Retry("was silent", false), 0, 1000) != null);
    }
    assertEquals(UrlHostState.Admission.BEGUN, row.host().begin(1));
  }

  @Test
  void silentUrlsAreNoSignThatAHostIsDownWhichHasJustRespondedToOthers() throws ImageProblem {
    UrlRow row = row("http://mostly.example/0");
    row.host().begin(0);
    row.host().responded(0);
    for (int i = 1; i <= 8; i++) {
      row.host().begin(i);
      row("http://mostly.example/" + i).after(new UrlResult.Retry("was silent", false), 59_000, 1000);
    }
    assertEquals(UrlHostState.Admission.BEGUN, row.host().begin(59_001));
    row("http://mostly.example/9").after(new UrlResult.Retry("was silent", false), 60_000, 1000);
    assertEquals(UrlHostState.Admission.DOWN, row.host().begin(60_001));
  }

  @Test
  void aBusyHostIsLeftAloneByAllRowsForNoLongerThanTwoMinutes() throws ImageProblem {
    UrlRow row = row("http://busy.example/");
    row.host().begin(0);
    row.begin(0);
    assertNull(row.after(new UrlResult.Busy(429, 999_999_999_000L), 0, 300_000));
    assertEquals(UrlHostState.Admission.LATER, row("http://busy.example/other").host().begin(119_999));
    assertEquals(UrlHostState.Admission.BEGUN, row.host().begin(120_000));
    assertEquals("Unreadable", row.after(new UrlResult.Busy(429, 0), 300_000, 300_000).reason().label());
  }
}
