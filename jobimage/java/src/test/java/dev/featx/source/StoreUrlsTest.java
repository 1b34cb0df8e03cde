package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import dev.featx.image.ImageProblem;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** URLs of stores lead to the table's own, as its bucket is reached, whatever else the run can reach. */
class StoreUrlsTest {
  private static final ReadSettings SETTINGS =
      new ReadSettings(100, null, new Patience(1, what -> {}), new ReadSettings.Samples("", List.of()), List.of());

  private static StoreUrls of(String source, Configuration conf) {
    return new StoreUrls(source, SETTINGS, conf);
  }

  @Test
  void anotherBucketIsReachedAsTheSourcesIs() throws Exception {
    List<String> requests = Collections.synchronizedList(new ArrayList<>());
    HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", exchange -> {
      requests.add(exchange.getRequestURI().getRawPath());
      exchange.sendResponseHeaders(200, 1);
      exchange.getResponseBody().write(7);
      exchange.close();
    });
    server.start();
    try {
      Configuration conf = new Configuration();
      conf.set("fs.s3a.bucket.tables.endpoint", "http://127.0.0.1:" + server.getAddress().getPort());
      conf.set("fs.s3a.bucket.tables.endpoint.region", "us-east-1");
      conf.set("fs.s3a.bucket.tables.aws.credentials.provider", "org.apache.hadoop.fs.s3a.AnonymousAWSCredentialsProvider");
      conf.set("fs.s3a.bucket.output.endpoint", "http://127.0.0.1:1");
      conf.set("fs.s3a.bucket.output.aws.credentials.provider", "dev.featx.security.MountedCredentials");
      StoreUrls urls = of("s3a://tables/in/a.parquet", conf);
      for (String url : List.of("s3://output/a b%20.jpg", "S3A://tables/x//y", "s3n://other/ü")) {
        assertTrue(StoreUrls.isOfStore(url));
        assertArrayEquals(new byte[] {7}, urls.content("key", url).bytes());
      }
      assertEquals(List.of("/output/a%20b%2520.jpg", "/tables/x//y", "/other/%C3%BC"), requests);
      assertEquals("http://127.0.0.1:1", conf.get("fs.s3a.bucket.output.endpoint"));
    } finally {
      server.stop(0);
    }
  }

  @ParameterizedTest
  @CsvSource({"file:///tables/a.parquet,s3://bucket/hunter2", "s3a://tables/a.parquet,hdfs://namenode:8020/hunter2",
      "hdfs://namenode:8020/a.parquet,hdfs://namenode:8021/hunter2", "hdfs://namenode:8020/a.parquet,hdfs://namenode:8020.evil/hunter2",
      "hdfs://namenode:8020/a.parquet,s3://bucket/hunter2", "file:///a.parquet,hdfs:///hunter2"})
  void anotherStoreIsRefused(String source, String url) {
    ImageProblem problem = assertThrows(ImageProblem.class, () -> of(source, new Configuration(false)).content("key", url));
    assertEquals("Refused", problem.reason().label());
    assertFalse(problem.getMessage().contains("hunter2"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"s3://Bucket/a", "s3://a@evil.example/b", "s3://evil.example:80/a", "s3://../a", "s3:///a",
      "s3://%41bc/a", "s3://tables",
      "s3://tables/"})
  void aUrlWithoutAValidBucketOrAKeyIsUnsupported(String url) {
    ImageProblem problem =
        assertThrows(ImageProblem.class, () -> of("s3a://tables/a.parquet", new Configuration(false)).content("key", url));
    assertEquals("Unsupported", problem.reason().label());
  }

  @Test
  void aTableNamesALimitedNumberOfBuckets() throws ImageProblem {
    StoreUrls urls = of("s3a://tables/a.parquet", new Configuration(false));
    for (int i = 0; i < 100; i++) {
      urls.content("key", "s3://bucket-" + i + "/a");
    }
    assertThrows(ImageProblem.class, () -> urls.content("key", "s3://bucket-100/a"));
    urls.content("key", "s3://bucket-7/a");
    urls.content("key", "s3://tables/a");
  }
}
