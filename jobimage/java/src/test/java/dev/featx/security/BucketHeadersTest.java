package dev.featx.security;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What S3A requests has the headers of the source, signed; only objects have the key that they are encrypted with. */
class BucketHeadersTest {
  private static final String KEY = "x-amz-server-side-encryption-customer-key";
  private static final String OWNER = "x-amz-expected-bucket-owner";

  private final List<String> requests = Collections.synchronizedList(new ArrayList<>());
  private HttpServer server;

  @TempDir
  private java.nio.file.Path secret;

  @BeforeEach
  void start() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", exchange -> {
      String query = exchange.getRequestURI().getQuery();
      String signed = exchange.getRequestHeaders().getFirst("Authorization").replaceAll(".*SignedHeaders=([^,]*),.*", "$1");
      String owner = signed.contains(OWNER) ? exchange.getRequestHeaders().getFirst(OWNER) : "unsigned";
      boolean key = signed.contains(KEY) && exchange.getRequestHeaders().getFirst(KEY) != null;
      requests.add(exchange.getRequestMethod() + (query == null ? " object " : " list ") + owner + " " + key);
      byte[] body = {1, 2, 3};
      if (query != null) {
        body = "<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>".getBytes();
      }
      boolean head = exchange.getRequestMethod().equals("HEAD");
      exchange.getResponseHeaders().set("ETag", "\"v1\"");
      exchange.getResponseHeaders().set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT");
      if (head) {
        exchange.getResponseHeaders().set("Content-Length", String.valueOf(body.length));
      }
      exchange.sendResponseHeaders(200, head ? -1 : body.length);
      if (!head) {
        exchange.getResponseBody().write(body);
      }
      exchange.close();
    });
    server.start();
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  @Test
  void requestsForObjectsHaveAllHeadersAndListingsOnlyThoseOfTheResource() throws IOException {
    Files.writeString(secret.resolve("AWS_ACCESS_KEY_ID"), "reader");
    Files.writeString(secret.resolve("AWS_SECRET_ACCESS_KEY"), "secret");
    Files.writeString(secret.resolve("SSE_CUSTOMER_KEY"), Base64.getEncoder().encodeToString(new byte[32]));
    Configuration conf = new Configuration();
    conf.set("fs.s3a.endpoint", "http://127.0.0.1:" + server.getAddress().getPort());
    conf.set("fs.s3a.endpoint.region", "us-east-1");
    conf.set("fs.s3a.path.style.access", "true");
    conf.set("fs.s3a.connection.ssl.enabled", "false");
    conf.set("fs.s3a.audit.enabled", "false");
    conf.set("fs.s3a.aws.credentials.provider", MountedCredentials.class.getName());
    conf.set("fs.s3a.bucket.images.featx.credentials.dir", secret.toString());
    conf.set("fs.s3a.bucket.images.featx.sse.customer.key", "true");
    conf.set("fs.s3a.bucket.images.featx.header." + OWNER, "123456789012");
    try (FileSystem bucket = new Path("s3a://images/").getFileSystem(BucketHeaders.added(conf))) {
      bucket.open(new Path("s3a://images/_delta_log/0.json")).read();
      bucket.listStatus(new Path("s3a://images/_delta_log"));
    }
    assertTrue(requests.contains("HEAD object 123456789012 true"), requests::toString);
    assertTrue(requests.contains("GET object 123456789012 true"), requests::toString);
    assertEquals(List.of("GET list 123456789012 false"),
        requests.stream().filter(request -> request.contains(" list ")).distinct().toList());
  }
}
