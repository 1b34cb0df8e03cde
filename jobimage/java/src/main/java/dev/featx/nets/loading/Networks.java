package dev.featx.nets.loading;

import dev.featx.digest.Sha256;
import dev.featx.nets.Compilation;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.NetworkFile;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The nets of this JVM: each is made ready once, whatever number of shards and runs use it. */
public final class Networks {
  private static final Logger LOG = LoggerFactory.getLogger(Networks.class);
  private static final ConcurrentHashMap<String, CompiledNetwork> COMPILED = new ConcurrentHashMap<>();

  private Networks() {}

  /**
   * Returns the net, making it ready if it is the first time.
   *
   * @param bytes the network file
   * @param how engine, precision, batch and threads
   */
  public static CompiledNetwork of(byte[] bytes, Compilation how) {
    return of(Sha256.of(bytes), () -> NetworkFile.read(bytes), how);
  }

  /**
   * Returns the net, as above, for a caller that knows the digest: taking it takes longer than a small shard does.
   *
   * @param digest of the network file ({@link Sha256})
   * @param file hands out the network file, asked only the first time
   * @param how engine, precision, batch and threads
   */
  public static CompiledNetwork of(String digest, Supplier<NetworkFile> file, Compilation how) {
    String key = digest + how;
    return COMPILED.computeIfAbsent(key, k -> made(file.get(), how));
  }

  /** Returns a net that is its caller's to close. */
  public static CompiledNetwork made(NetworkFile file, Compilation how) {
    Preparation.end();
    long started = System.nanoTime();
    CompiledNetwork made = Engines.compile(file, how);
    LOG.info("a net was made ready for {} in {} ms", how, (System.nanoTime() - started) / 1_000_000);
    return made;
  }
}
