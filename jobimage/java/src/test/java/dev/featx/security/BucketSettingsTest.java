package dev.featx.security;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;

/** What a resource says reaches the store as it is written. */
class BucketSettingsTest {
  @Test
  void aHeaderNeverHoldsVariablesOfTheProcess() {
    Configuration conf = new Configuration(false);
    conf.set("fs.s3a.bucket.images.featx.header.x-amz-a", "${env.PATH}${user.name}${fs.s3a.bucket.images.endpoint}");
    conf.set("fs.s3a.bucket.images.endpoint", "http://store");
    assertEquals(Map.of("x-amz-a", "${env.PATH}${user.name}${fs.s3a.bucket.images.endpoint}"),
        new BucketSettings("images", conf).headers());
  }
}
