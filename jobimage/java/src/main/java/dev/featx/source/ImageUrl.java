package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import dev.featx.security.UrlHosts;
import java.net.IDN;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The http or https URL of an image, as it will be requested: what is checked is what is connected to.
 *
 * @param scheme http or https
 * @param host in lower case and ASCII
 * @param port the scheme's, unless the URL has another
 * @param uri the whole, without a fragment
 */
record ImageUrl(String scheme, String host, int port, URI uri) {
  static final String HTTP = "http";
  static final String HTTPS = "https";

  private static final int LONGEST = 8192;
  private static final int LONGEST_NAME = 300;
  private static final int HIGHEST_PORT = 65_535;
  private static final Pattern AUTHORITY =
      Pattern.compile("((?:[a-z0-9_-]{1,63}\\.){0,126}[a-z0-9_-]{1,63}\\.?|\\[[0-9a-f:.]{2,45}\\])(?::([0-9]{1,5})?)?");
  private static final String UNSAFE = "\"<>\\^`{|} ";
  private static final HexFormat HEX = HexFormat.of().withUpperCase();

  /**
   * Parses a URL as it stands in tables: with blanks and letters that should be encoded, too.
   *
   * @throws ImageProblem Unsupported, without the URL, which may hold a signature
   */
  static ImageUrl of(String text) throws ImageProblem {
    if (text.length() > LONGEST) {
      throw unsupported("the URL has more than " + LONGEST + " characters");
    }
    try {
      return of(new URI(encoded(text)));
    } catch (URISyntaxException | IllegalArgumentException e) {
      throw unsupported("the text is not a valid URL");
    }
  }

  private static ImageUrl of(URI uri) throws ImageProblem, URISyntaxException {
    String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
    if (!Set.of(HTTP, HTTPS).contains(scheme)) {
      throw unsupported("the URL begins with neither s3://, hdfs://, https:// nor http://");
    }
    String authority = uri.getRawAuthority() == null ? "" : uri.getRawAuthority();
    if (authority.contains("@")) {
      throw unsupported("the URL has a user or a password, which are not sent");
    }
    Matcher parts = AUTHORITY.matcher(ascii(authority));
    int port = parts.matches() && parts.group(2) != null ? Integer.parseInt(parts.group(2)) : usualPort(scheme);
    if (!parts.matches() || port == 0 || port > HIGHEST_PORT) {
      throw unsupported("the URL has no valid host");
    }
    String host = UrlHosts.normalized(parts.group(1));
    String path = uri.getRawPath() == null || uri.getRawPath().isEmpty() ? "/" : uri.getRawPath();
    String query = uri.getRawQuery() == null ? "" : "?" + uri.getRawQuery();
    String shown = host + (isUsual(scheme, port) ? "" : ":" + port); // a signature may be of the host without a port
    return new ImageUrl(scheme, host, port, new URI(scheme + "://" + shown + path + query));
  }

  /**
   * Returns where a redirect leads.
   *
   * @throws ImageProblem Refused, if it leaves https, or the web
   */
  ImageUrl redirected(String location) throws ImageProblem {
    try {
      URI target = uri.resolve(new URI(encoded(location)));
      String other = target.getScheme() == null ? "" : target.getScheme().toLowerCase(Locale.ROOT);
      if (!other.equals(HTTPS) && !other.equals(scheme)) {
        throw refused("redirects from " + scheme + " to another scheme, which is not followed");
      }
      return of(target);
    } catch (URISyntaxException | IllegalArgumentException e) {
      throw refused("redirects to what is not a valid URL");
    }
  }

  private static boolean isUsual(String scheme, int port) {
    return port == usualPort(scheme);
  }

  private static int usualPort(String scheme) {
    return scheme.equals(HTTPS) ? 443 : 80;
  }

  /** Returns the host and, unless it is the scheme's, the port. */
  String authority() {
    return uri.getRawAuthority();
  }

  /** Returns the URL as messages have it: without its query, which may be a signature. */
  String name() {
    String name = scheme + "://" + uri.getRawAuthority() + uri.getRawPath();
    return name.length() <= LONGEST_NAME ? name : name.substring(0, LONGEST_NAME) + "…";
  }

  /** Returns the problem of a URL whose image is not to be had, and will not be. */
  ImageProblem refused(String what) {
    return problem(QuarantineReason.REFUSED, what);
  }

  /** Returns the problem of this URL's image. */
  ImageProblem problem(QuarantineReason reason, String what) {
    return new ImageProblem(ImageProblem.Stage.READ, reason, name() + " " + what);
  }

  static ImageProblem unsupported(String message) {
    return new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.UNSUPPORTED, message + "; correct the row");
  }

  private static String ascii(String authority) {
    String decoded = authority.contains("%") ? URLDecoder.decode(authority.replace("+", "%2B"), StandardCharsets.UTF_8)
        : authority;
    return IDN.toASCII(decoded, IDN.ALLOW_UNASSIGNED).toLowerCase(Locale.ROOT);
  }

  /** Returns a URL with all encoded that must be, and nothing that is. */
  private static String encoded(String text) {
    byte[] bytes = text.strip().replaceFirst("#.*", "").getBytes(StandardCharsets.UTF_8);
    StringBuilder encoded = new StringBuilder();
    for (int i = 0; i < bytes.length; i++) {
      boolean hex = i + 2 < bytes.length && HexFormat.isHexDigit(bytes[i + 1]) && HexFormat.isHexDigit(bytes[i + 2]);
      if (bytes[i] <= ' ' || bytes[i] == 0x7f || UNSAFE.indexOf(bytes[i]) >= 0 || bytes[i] == '%' && !hex) {
        encoded.append('%').append(HEX.toHexDigits(bytes[i]));
      } else {
        encoded.append((char) bytes[i]);
      }
    }
    return encoded.toString();
  }
}
