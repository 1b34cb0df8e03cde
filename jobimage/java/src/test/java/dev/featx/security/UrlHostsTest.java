package dev.featx.security;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whoever writes a table of URLs reaches only what the platform team has listed, and of that no internal address. */
class UrlHostsTest {
  private static final UrlHosts ANY = new UrlHosts(List.of("*"));
  private static final int SAMPLES = 20_000;

  @ParameterizedTest
  @ValueSource(strings = {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
      "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32", //
      "::/96", "::1/128", "::ffff:10.0.0.0/104", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "2002::/16",
      "fc00::/7", "fd00:ec2::/32", "fe80::/10", "fec0::/10", "ff00::/8"})
  void noAddressOfAnInternalNetworkIsPublic(String network) throws UnknownHostException {
    String[] parts = network.split("/");
    byte[] base = bytes(parts[0]);
    int bits = Integer.parseInt(parts[1]);
    Random random = new Random(1);
    for (int i = 0; i < SAMPLES; i++) {
      byte[] address = new byte[base.length];
      random.nextBytes(address);
      for (int bit = 0; bit < bits; bit++) {
        int mask = 0x80 >> bit % 8;
        address[bit / 8] = (byte) (address[bit / 8] & ~mask | base[bit / 8] & mask);
      }
      InetAddress found = InetAddress.getByAddress(address);
      assertTrue(NetworkAddresses.of(found) != NetworkAddresses.Kind.PUBLIC, found::toString);
    }
  }

  /** The bytes of an address as written; Java would turn mapped ones into IPv4. */
  private static byte[] bytes(String written) throws UnknownHostException {
    if (!written.startsWith("::ffff:")) {
      return InetAddress.getByName(written).getAddress();
    }
    byte[] mapped = new byte[16];
    mapped[10] = mapped[11] = -1;
    System.arraycopy(InetAddress.getByName(written.substring(7)).getAddress(), 0, mapped, 12, 4);
    return mapped;
  }

  @Test
  void anIpv4AddressMappedToIpv6IsTheSameAddress() throws UnknownHostException {
    Random random = new Random(2);
    for (int i = 0; i < SAMPLES; i++) {
      byte[] address = new byte[4];
      random.nextBytes(address);
      byte[] mapped = new byte[16];
      mapped[10] = mapped[11] = -1;
      System.arraycopy(address, 0, mapped, 12, 4);
      assertEquals(NetworkAddresses.of(InetAddress.getByAddress(address)),
          NetworkAddresses.of(Inet6Address.getByAddress(null, mapped, -1)));
      assertArrayEquals(address, NetworkAddresses.withoutMapping(mapped));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"8.8.8.8", "93.184.215.14", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.167.0.1", "11.0.0.1",
      "223.255.255.1", "2606:4700::1111", "2a00:1450::1"})
  void publicAddressesAreReached(String address) throws UnknownHostException {
    assertEquals(NetworkAddresses.Kind.PUBLIC, NetworkAddresses.of(InetAddress.getByName(address)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"10.0.0.1", "127.0.0.1", "127.1", "2130706433", "0.0.0.0", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]",
      "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "localhost", "no-such-host.invalid"})
  void anAsteriskResolvesToNoInternalAddressAndDoesNotSayWhetherTheNameExists(String host) {
    assertEquals(host, assertThrows(UnknownHostException.class, () -> ANY.resolve(host)).getMessage());
  }

  @ParameterizedTest
  @CsvSource({"images.example.com,443,true", "images.example.com,80,true", "images.example.com,8080,false", "kubernetes,443,false",
      "kubernetes.default.svc,443,false", "a.team.svc.cluster.local,80,false", "metadata.google.internal,80,false", "router.lan,80,false",
      "8.8.8.8,80,true", "localhost,80,false"})
  void anAsteriskStandsForHostsOfTheWebAtItsPorts(String host, int port, boolean included) {
    assertEquals(included, ANY.include(host, port));
  }

  @ParameterizedTest
  @CsvSource({"a.example.com,443,true", "a.b.example.com,443,true", "example.com,443,false", "evilexample.com,443,false",
      "example.com.evil.net,443,false", "images.intra,8080,true", "images.intra,80,false", "other.intra,8080,false", "pics.intra,443,true"})
  void onlyListedHostsAreIncluded(String host, int port, boolean included) {
    UrlHosts listed = new UrlHosts(List.of("*.example.com", "images.intra:8080", "pics.intra"));
    assertEquals(included, listed.include(host, port));
    assertFalse(new UrlHosts(List.of()).include(host, port));
  }

  @Test
  void theApiServerIsNotResolvedAlthoughItIsListed() {
    UrlHosts listed = new UrlHosts(List.of("10.96.0.1", "[::ffff:10.96.0.1]"));
    for (String host : listed.patterns()) {
      assertThrows(UnknownHostException.class, () -> listed.resolve(host), host);
    }
  }

  /** Hosts that a made-up DNS knows, on a user's machine unless an API server is given. */
  private static UrlHosts withNames(Map<String, String> addresses, String apiServer, String... listed) {
    return new UrlHosts(List.of(listed), name -> {
      String address = name.matches("[0-9.]+|\\[.*") ? name : addresses.get(name.replaceFirst("\\.$", ""));
      if (address == null) {
        throw new UnknownHostException("a resolver's own words");
      }
      return InetAddress.getAllByName(address);
    }, apiServer);
  }

  private static final Map<String, String> NAMES = Map.of("pics.example", "10.1.2.3", "loops.example", "127.0.0.1", "links.example",
      "169.254.1.1", "web.example", "93.184.215.14", "localhost", "127.0.0.1", "a.localhost", "127.0.0.1", "api.example", "10.96.0.1");

  @Test
  void aListedHostMayBePrivateButNeverLinkLocalAndLoopbackOnlyByItsAddressOrAsLocalhost() throws UnknownHostException {
    UrlHosts listed = new UrlHosts(List.of("10.0.0.1", "127.0.0.1:8080", "localhost", "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]"));
    assertEquals("10.0.0.1", listed.resolve("10.0.0.1")[0].getHostAddress());
    assertEquals("127.0.0.1", listed.resolve("127.0.0.1")[0].getHostAddress());
    assertTrue(listed.resolve("localhost")[0].isLoopbackAddress());
    for (String host : List.of("a.localhost", "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "10.0.0.2")) {
      assertThrows(UnknownHostException.class, () -> listed.resolve(host), host);
    }
    for (String server : new String[] {"10.96.0.1", null}) {
      UrlHosts named = withNames(NAMES, server, "pics.example", "loops.example", "links.example", "a.localhost");
      assertEquals("10.1.2.3", named.resolve("pics.example")[0].getHostAddress());
      assertEquals("127.0.0.1", named.resolve("a.localhost")[0].getHostAddress());
      for (String host : List.of("loops.example", "links.example", "localhost")) {
        assertThrows(UnknownHostException.class, () -> named.resolve(host), host);
      }
    }
  }

  @Test
  void inAClusterAPrivateNameLooksLikeOneThatDoesNotExist() {
    UrlHosts cluster = withNames(NAMES, "10.96.0.1", "*");
    for (String host : List.of("pics.example", "loops.example", "links.example", "api.example", "nobody.example")) {
      assertNull(cluster.refusal(host, 80, host));
      UnknownHostException thrown = assertThrows(UnknownHostException.class, () -> cluster.resolve(host), host);
      assertEquals(UnknownHostException.class, thrown.getClass());
      assertEquals(host, thrown.getMessage());
    }
  }

  @Test
  void onAUsersMachineAPrivateNameIsRefusedWithAHintThatWorks() throws UnknownHostException {
    UrlHosts machine = withNames(NAMES, null, "*");
    UrlHosts.RefusedHostException refused =
        assertThrows(UrlHosts.RefusedHostException.class, () -> machine.resolve("pics.example"));
    assertTrue(refused.reason().contains("pics.example has a private address"), refused::reason);
    assertEquals("10.1.2.3", withNames(NAMES, null, hinted(refused.reason())).resolve("pics.example")[0].getHostAddress());
    for (String host : List.of("loops.example", "links.example")) {
      String reason = assertThrows(UrlHosts.RefusedHostException.class, () -> machine.resolve(host)).reason();
      assertFalse(reason.contains("--url-hosts"), reason);
    }
    assertEquals(UnknownHostException.class,
        assertThrows(UnknownHostException.class, () -> machine.resolve("nobody.example")).getClass());
  }

  @ParameterizedTest
  @CsvSource({"10.0.0.1,80,10.0.0.1", "192.168.1.9,443,192.168.1.9", "127.0.0.1,8080,127.0.0.1:8080", "127.0.0.1,80,127.0.0.1",
      "2130706433,80,2130706433", "[fc00::1],80,[fc00::1]", "[::1],8080,[::1]:8080", "localhost,8080,localhost:8080",
      "localhost,80,localhost", "a.localhost,80,a.localhost", "images.intranet,80,images.intranet", "web.example,8080,web.example:8080"})
  void whatIsNotListedIsRefusedByNameWithAHintThatWorks(String host, int port, String authority) {
    for (String server : new String[] {"10.96.0.1", null}) {
      String reason = withNames(NAMES, server, "*").refusal(host, port, authority);
      assertTrue(reason.startsWith("is not fetched: ") && reason.contains(" is not in allowed.urlHosts"), reason);
      assertNull(withNames(NAMES, server, hinted(reason)).refusal(host, port, authority));
    }
  }

  /** What a message says to pass as --url-hosts. */
  private static String[] hinted(String reason) {
    Matcher hint = Pattern.compile("pass --url-hosts '(.*)'$").matcher(reason);
    assertTrue(hint.find(), reason);
    return hint.group(1).split(",");
  }

  @ParameterizedTest
  @ValueSource(strings = {"169.254.169.254", "0.0.0.0", "[fe80::1]", "[fd00:ec2::254]", "224.0.0.1", "10.96.0.1", "[::ffff:10.96.0.1]"})
  void whatIsNeverFetchedSaysSoAndHintsAtNothing(String host) {
    for (String listed : List.of("*", host)) {
      String reason = withNames(NAMES, "10.96.0.1", listed).refusal(host, 80, host);
      assertTrue(reason.startsWith("is never fetched"), reason);
      assertFalse(reason.contains("urlHosts"), reason);
    }
  }

  @Test
  void anAsteriskOpensNoOtherPortOfAHostThatIsListedByItsName() {
    UrlHosts listed = new UrlHosts(List.of("*", "images.intra.example:8080"));
    assertTrue(listed.include("images.intra.example", 8080));
    assertFalse(listed.include("images.intra.example", 80));
  }

  @Test
  void aHostIsComparedInLowerCaseAndWithoutItsLastDot() {
    assertEquals(List.of("a.example", "a.example"), Stream.of("A.Example", "a.example.").map(UrlHosts::normalized).toList());
  }
}
