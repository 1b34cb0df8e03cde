package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** URLs as tables hold them: what is checked is what is requested, and no message has a secret. */
class ImageUrlTest {
  private static final String SECRET = "hunter2";

  @ParameterizedTest
  @CsvSource({"https://example.com/a.jpg,https://example.com/a.jpg", "HTTPS://Example.COM:443/a b.jpg,https://example.com/a%20b.jpg",
      "http://example.com,http://example.com/", "http://example.com:8080/a|b%zz,http://example.com:8080/a%7Cb%25zz",
      "https://example.com/ü?a=%2F&b[]=é#part,https://example.com/%C3%BC?a=%2F&b[]=%C3%A9",
      "https://bücher.example/a,https://xn--bcher-kva.example/a",
      "https://my_bucket.example./a//b/../c,https://my_bucket.example/a//b/../c",
      "http://１２７.0.0.1/a,http://127.0.0.1/a", "http://[::1]:80/a,http://[::1]/a"})
  void aUrlIsRequestedAsBrowsersRequestIt(String written, String requested) throws ImageProblem {
    ImageUrl url = ImageUrl.of(written);
    assertEquals(requested, url.uri().toString());
    assertEquals(requested.replaceFirst("https?://(\\[[^]]*\\]|[^/:?]*).*", "$1"), url.host());
  }

  @ParameterizedTest
  @ValueSource(strings = {"https://me:hunter2@example.com/", "https://good.example\\@evil.example/hunter2", "https://a%40b.example/hunter2",
      "ftp://example.com/hunter2",
      "file:///etc/hunter2", "//example.com/hunter2", "hunter2.jpg", "https:///hunter2", "https://:80/hunter2", "http://./hunter2",
      "https://exa mple.com/hunter2", "https://example.com:99999/hunter2", "https://example.com:0/hunter2",
      "https://a＠b.example/hunter2",
      "https://a／b.example/hunter2", "http://[::1%25eth0]/hunter2", "http://a..b/hunter2", "jar:https://example.com/hunter2",
      "https://example.com:80:80/hunter2"})
  void whatIsNoPlainUrlIsUnsupportedAndNotQuoted(String written) {
    ImageProblem problem = assertThrows(ImageProblem.class, () -> ImageUrl.of(written));
    assertEquals(QuarantineReason.UNSUPPORTED, problem.reason());
    assertFalse(problem.getMessage().contains(SECRET), problem::getMessage);
  }

  @ParameterizedTest
  @CsvSource({"https,/b.jpg,https://example.com/b.jpg", "http,https://other.example/,https://other.example/",
      "https,//other.example/x y,https://other.example/x%20y", "http,b?c,http://example.com/b?c"})
  void aRedirectIsFollowed(String scheme, String location, String target) throws ImageProblem {
    assertEquals(target, ImageUrl.of(scheme + "://example.com/a.jpg").redirected(location).uri().toString());
  }

  @ParameterizedTest
  @CsvSource({"https,http://example.com/hunter2", "http,ftp://example.com/hunter2", "http,file:///hunter2", "http,s3://bucket/hunter2",
      "http,http://me:hunter2@example.com/", "http,http:hunter2"})
  void aRedirectLeavesNeitherHttpsNorTheWeb(String scheme, String location) throws ImageProblem {
    ImageUrl url = ImageUrl.of(scheme + "://example.com/a.jpg?" + SECRET);
    ImageProblem problem = assertThrows(ImageProblem.class, () -> url.redirected(location));
    assertFalse(problem.getMessage().contains(SECRET), problem::getMessage);
  }

  @Test
  void anyTextIsAUrlWithAHostOrUnsupported() {
    Random random = new Random(3);
    String letters = "htps:/@#?%[]\\.ae1 ü\u0000＠．:8-_～\n";
    for (int i = 0; i < 50_000; i++) {
      StringBuilder text = new StringBuilder(random.nextBoolean() ? "http://" : "");
      for (int j = random.nextInt(20); j > 0; j--) {
        text.append(letters.charAt(random.nextInt(letters.length())));
      }
      try {
        ImageUrl url = ImageUrl.of(text.toString());
        assertEquals(url.uri().getRawAuthority().replaceFirst(":[0-9]+$", ""), url.host());
        assertTrue(url.host().matches("[a-z0-9._-]+|\\[[0-9a-f:.]+\\]"), url.host());
      } catch (ImageProblem e) {
        assertEquals(QuarantineReason.UNSUPPORTED, e.reason());
      }
    }
  }

  @Test
  void theNameInMessagesHasNoQueryAndALimit() throws ImageProblem {
    assertEquals("https://example.com/a.jpg", ImageUrl.of("https://example.com/a.jpg?" + SECRET + "#" + SECRET).name());
    assertTrue(ImageUrl.of("https://example.com/" + "a".repeat(5000)).name().length() < 400);
  }
}
