package dev.featx.nets;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.concurrent.ConcurrentHashMap;

/** The nets of this JVM: each is converted once, whatever number of shards and runs use it. */
public final class Networks {
  private static final ConcurrentHashMap<String, CompiledNetwork> COMPILED = new ConcurrentHashMap<>();

  private Networks() {}

  /**
   * Returns the converted net, making it if it is the first time.
   *
   * @param bytes the network file
   * @param batch pictures a forward
   * @param cores threads of a forward
   */
  public static CompiledNetwork of(byte[] bytes, int batch, int cores) {
    return of(digest(bytes), bytes, batch, cores);
  }

  /**
   * Returns the converted net, as above, for a caller that knows the digest: it takes longer than a small shard does.
   *
   * @param digest of the bytes
   */
  public static CompiledNetwork of(String digest, byte[] bytes, int batch, int cores) {
    String key = digest + "/" + batch;
    return COMPILED.computeIfAbsent(key, k -> CompiledNetwork.compile(NetworkFile.read(bytes), batch, cores));
  }

  /** Returns the digest by which a network file is known here. */
  public static String digest(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
