package dev.featx.nets;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** The nets of this JVM: each is made ready once, whatever number of shards and runs use it. */
public final class Networks {
  private static final ConcurrentHashMap<String, CompiledNetwork> COMPILED = new ConcurrentHashMap<>();

  private Networks() {}

  /**
   * Returns the net, making it ready if it is the first time.
   *
   * @param bytes the network file
   * @param how engine, precision, batch and threads
   */
  public static CompiledNetwork of(byte[] bytes, Compilation how) {
    return of(digest(bytes), () -> bytes, how);
  }

  /**
   * Returns the net, as above, for a caller that knows the digest: taking it takes longer than a small shard does.
   *
   * @param digest of the network file
   * @param bytes hands out the network file, asked only the first time
   * @param how engine, precision, batch and threads
   */
  public static CompiledNetwork of(String digest, Supplier<byte[]> bytes, Compilation how) {
    String key = digest + how;
    return COMPILED.computeIfAbsent(key, k -> made(NetworkFile.read(bytes.get()), how));
  }

  /** Returns a net that is its caller's to close. */
  public static CompiledNetwork made(NetworkFile file, Compilation how) {
    return how.engine().compile(file, how);
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
