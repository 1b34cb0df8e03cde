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
 * one. Link-local addresses and the API server are never reached, nor is loopback, unless it is listed as an IP address.
 *
 * @param patterns the list; empty if nothing may be fetched
 */
public record UrlHosts(List<String> patterns) {
  private static final List<Integer> USUAL_PORTS = List.of(80, 443);
  private static final String API_SERVER = "KUBERNETES_SERVICE_HOST";
  private static final List<String> INTERNAL = List.of("svc", "local", "internal", "localhost", "localdomain", "intranet", "lan",
      "home", "corp", "arpa");
  private static final Pattern IP = Pattern.compile("[0-9.]+|\\[[0-9a-f:.]+\\]");

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
   * @throws UnknownHostException if there are none; whether the name exists shows nowhere
   */
  public InetAddress[] resolve(String host) throws UnknownHostException {
    boolean named = isNamed(host);
    List<InetAddress> permitted = new ArrayList<>();
    try {
      // A dot at the end keeps a pod's search domains out: a.b is not a.b.svc.cluster.local.
      boolean asIs = named || IP.matcher(host).matches();
      for (InetAddress address : InetAddress.getAllByName(asIs ? host : host + ".")) {
        if (permits(host, named, address)) {
          permitted.add(address);
        }
      }
    } catch (UnknownHostException e) {
      // As for a host with other addresses only.
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
      case LOOPBACK -> named && IP.matcher(host).matches();
      case SPECIAL -> false;
    };
  }

  private static boolean isApiServer(InetAddress address) {
    String server = System.getenv(API_SERVER);
    try {
      return server != null && !server.isEmpty()
          && Arrays.equals(NetworkAddresses.withoutMapping(InetAddress.getByName(server).getAddress()),
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
