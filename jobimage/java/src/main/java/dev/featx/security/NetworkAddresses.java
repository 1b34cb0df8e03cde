package dev.featx.security;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.List;

/**
 * What an IP address belongs to, by IANA's registries of special-purpose addresses.
 *
 * <p>Whoever writes a table of URLs chooses what executors connect to, also by the DNS records of hosts. So of IPv6 only
 * global unicast counts as public, and nothing that stands for an IPv4 address does.
 */
final class NetworkAddresses {
  /** What an address belongs to. */
  enum Kind {
    /** The Internet. */
    PUBLIC,
    /** A network such as the cluster's, its pods' or its services'. */
    PRIVATE,
    /** This machine. */
    LOOPBACK,
    /** Link-local, multicast, reserved or a cloud's metadata service: nobody's images are there. */
    SPECIAL
  }

  /** Addresses with the same first bits. */
  private record Network(byte[] address, int bits) {
    boolean contains(byte[] other) {
      if (other.length != address.length) {
        return false;
      }
      int whole = bits / Byte.SIZE;
      int rest = bits % Byte.SIZE;
      return Arrays.equals(address, 0, whole, other, 0, whole)
          && (rest == 0 || (address[whole] ^ other[whole]) >> Byte.SIZE - rest == 0);
    }
  }

  private static final List<Network> METADATA = networks("100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::/32");
  private static final List<Network> LOOPBACK = networks("127.0.0.0/8", "::1/128");
  private static final List<Network> PRIVATE =
      networks("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7");
  private static final List<Network> RESERVED = networks("0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24",
      "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", //
      "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"); // Teredo, documentation and 6to4, among others
  private static final List<Network> GLOBAL_UNICAST = networks("2000::/3");
  private static final byte[] MAPPED = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1};

  private NetworkAddresses() {}

  /** Returns what an address belongs to. */
  static Kind of(InetAddress address) {
    byte[] bytes = withoutMapping(address.getAddress());
    if (isIn(METADATA, bytes)) {
      return Kind.SPECIAL;
    }
    if (isIn(LOOPBACK, bytes)) {
      return Kind.LOOPBACK;
    }
    if (isIn(PRIVATE, bytes)) {
      return Kind.PRIVATE;
    }
    boolean unicast = bytes.length == 4 || isIn(GLOBAL_UNICAST, bytes);
    return unicast && !isIn(RESERVED, bytes) ? Kind.PUBLIC : Kind.SPECIAL;
  }

  /** Returns an IPv4 address in place of one that is mapped to IPv6, which reaches the same machine. */
  static byte[] withoutMapping(byte[] address) {
    boolean mapped = address.length == 16 && Arrays.equals(address, 0, MAPPED.length, MAPPED, 0, MAPPED.length);
    return mapped ? Arrays.copyOfRange(address, MAPPED.length, address.length) : address;
  }

  private static boolean isIn(List<Network> networks, byte[] address) {
    return networks.stream().anyMatch(network -> network.contains(address));
  }

  private static List<Network> networks(String... written) {
    return Arrays.stream(written).map(NetworkAddresses::network).toList();
  }

  private static Network network(String written) {
    String[] parts = written.split("/");
    try {
      return new Network(InetAddress.getByName(parts[0]).getAddress(), Integer.parseInt(parts[1]));
    } catch (UnknownHostException e) {
      throw new IllegalArgumentException(written, e);
    }
  }
}
