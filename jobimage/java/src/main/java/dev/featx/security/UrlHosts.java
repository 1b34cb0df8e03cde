package dev.featx.security;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * The hosts that a run may fetch images from, as the platform team lists them: {@code *}, {@code *.example.com},
 * {@code images.example.com} or {@code images.example.com:8080}.
 *
 * <p>Without a port, 80 and 443 are meant. A host that is listed by its name may have a private address; others need a public
 * one. Link-local addresses and the API server are never reached, nor is loopback, unless it is listed as an IP address or as
 * {@code localhost}.
 *
 * @param patterns the list; empty if nothing may be fetched
 * @param resolver of names
 * @param apiServer address of the cluster's API server; null or empty on a user's machine
 */
public record UrlHosts(List<String> patterns, Resolver resolver, String apiServer) {
  private static final List<Integer> USUAL_PORTS = List.of(80, 443);
  private static final String API_SERVER = "KUBERNETES_SERVICE_HOST";
  private static final List<String> INTERNAL = List.of("svc", "local", "internal", "localhost", "localdomain", "intranet", "lan",
      "home", "corp", "arpa");
  private static final Pattern IP = Pattern.compile("[0-9.]+|\\[[0-9a-f:.]+\\]");
  private static final String NEVER = "is never fetched: its host is link-local, reserved, or serves a cluster or cloud itself";

  /** Finds the addresses of a name. */
  public interface Resolver {
    /** Returns all addresses. */
    InetAddress[] resolve(String name) throws UnknownHostException;
  }

  /** A host that exists, but must not be connected to. */
  public static final class RefusedHostException extends UnknownHostException {
    private static final long serialVersionUID = 1L;

    private final String reason;

    RefusedHostException(String host, String reason) {
      super(host);
      this.reason = reason;
    }

    /** Returns why, after the URL in a sentence. */
    public String reason() {
      return reason;
    }
  }

  /** Lists hosts, in the cluster or on the machine that this process runs on. */
  public UrlHosts(List<String> patterns) {
    this(patterns, InetAddress::getAllByName, System.getenv(API_SERVER));
  }

  /**
   * Returns the reason not to connect to a host, as far as it is known before the name is resolved, or null.
   *
   * @param authority the host, and the port unless it is the scheme's
   * @return what follows the URL in a sentence
   */
  public String refusal(String host, int port, String authority) {
    NetworkAddresses.Kind kind = NetworkAddresses.Kind.PUBLIC;
    if (IP.matcher(host).matches()) {
      try {
        InetAddress address = resolver.resolve(host)[0];
        kind = isApiServer(address) ? NetworkAddresses.Kind.SPECIAL : NetworkAddresses.of(address);
      } catch (UnknownHostException e) {
        // It is not an address, although it looks like one.
      }
    }
    if (kind == NetworkAddresses.Kind.SPECIAL) {
      return NEVER;
    }
    if (kind != NetworkAddresses.Kind.PUBLIC && !isNamed(host)) {
      return "is not fetched: " + host + " is a private address, and as such " + unlisted(authority);
    }
    return include(host, port) ? null : "is not fetched: " + authority + " " + unlisted(authority);
  }

  private static String unlisted(String authority) {
    return "is not in allowed.urlHosts, which the platform team sets; with `featx run` pass --url-hosts '*," + authority + "'";
  }

  /** Returns whether a host may be reached at a port, if its address permits it. */
  public boolean include(String host, int port) {
    return isNamed(host) ? isListed(host, port) : USUAL_PORTS.contains(port) && isCovered(host);
  }

  private boolean isListed(String host, int port) {
    return patterns.contains(host + ":" + port) || USUAL_PORTS.contains(port) && patterns.contains(host);
  }

  /** Returns whether a host is listed by its own name, with whatever port. */
  private boolean isNamed(String host) {
    return patterns.stream().anyMatch(pattern -> pattern.equals(host)
        || pattern.startsWith(host + ":") && pattern.indexOf(':', host.length() + 1) < 0);
  }

  /** Returns whether an asterisk covers a host; names that only a cluster's or company's DNS knows are none of the web's. */
  private boolean isCovered(String host) {
    String last = host.substring(host.lastIndexOf('.') + 1);
    boolean web = IP.matcher(host).matches() || host.contains(".") && !INTERNAL.contains(last);
    return web && patterns.stream().anyMatch(
        pattern -> pattern.equals("*") || pattern.startsWith("*.") && host.endsWith(pattern.substring(1)));
  }

  /**
   * Returns the addresses of a host that may be connected to. A caller connects to these, and does not resolve the name again.
   *
   * @throws UnknownHostException if there are none; in a cluster, whether the name exists shows nowhere
   */
  public InetAddress[] resolve(String host) throws UnknownHostException {
    boolean named = isNamed(host);
    boolean mayBeListed = false;
    List<InetAddress> others = new ArrayList<>();
    List<InetAddress> permitted = new ArrayList<>();
    try {
      // A dot at the end keeps a pod's search domains out: a.b is not a.b.svc.cluster.local.
      boolean asIs = named || IP.matcher(host).matches();
      for (InetAddress address : resolver.resolve(asIs ? host : host + ".")) {
        (permits(host, named, address) ? permitted : others).add(address);
        mayBeListed |= permits(host, true, address);
      }
    } catch (UnknownHostException e) {
      // As for a host with other addresses only.
    }
    if (permitted.isEmpty() && !others.isEmpty() && !isInCluster()) {
      throw new RefusedHostException(host, mayBeListed
          ? "is not fetched: " + host + " has a private address, and " + unlisted(host)
          : "is not fetched: " + host + " has loopback or link-local addresses, which no name but localhost may lead to;"
              + " correct the row");
    }
    if (permitted.isEmpty()) {
      throw new UnknownHostException(host);
    }
    return permitted.toArray(InetAddress[]::new);
  }

  private boolean permits(String host, boolean named, InetAddress address) {
    if (isApiServer(address)) {
      return false;
    }
    return switch (NetworkAddresses.of(address)) {
      case PUBLIC -> true;
      case PRIVATE -> named;
      case LOOPBACK -> named && (IP.matcher(host).matches() || isLocalhost(host));
      case SPECIAL -> false;
    };
  }

  /** Returns whether a name stands for this machine by its definition (RFC 6761), rather than by somebody's records. */
  private static boolean isLocalhost(String host) {
    return host.equals("localhost") || host.endsWith(".localhost");
  }

  private boolean isInCluster() {
    return apiServer != null && !apiServer.isEmpty();
  }

  private boolean isApiServer(InetAddress address) {
    try {
      return isInCluster() && Arrays.equals(NetworkAddresses.withoutMapping(InetAddress.getByName(apiServer).getAddress()),
          NetworkAddresses.withoutMapping(address.getAddress()));
    } catch (UnknownHostException e) {
      return false; // it is an address in every pod
    }
  }

  /** Returns a host as these lists have it. */
  public static String normalized(String host) {
    String lower = host.toLowerCase(Locale.ROOT);
    return lower.endsWith(".") ? lower.substring(0, lower.length() - 1) : lower;
  }
}
