package dev.featx.nets.loading;

import dev.featx.digest.Sha256;
import dev.featx.nets.Compilation;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.NetworkFile;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The nets of this JVM, each compiled once for all shards and runs. */
public final class Networks {
  private static final Logger LOG = LoggerFactory.getLogger(Networks.class);
  private static final ConcurrentHashMap<String, CompiledNetwork> COMPILED = new ConcurrentHashMap<>();

  private Networks() {}

  /**
   * Returns a net, compiling it on first use.
   *
   * @param bytes the network file
   * @param compilation engine, precision, batch and threads
   */
  public static CompiledNetwork of(byte[] bytes, Compilation compilation) {
    return of(Sha256.of(bytes), () -> NetworkFile.read(bytes), compilation);
  }

  /**
   * Returns a net, as above, for a caller that knows the digest: computing it takes longer than a small shard.
   *
   * @param digest of the network file ({@link Sha256})
   * @param file provides the network file, called only on first use
   * @param compilation engine, precision, batch and threads
   */
  public static CompiledNetwork of(String digest, Supplier<NetworkFile> file, Compilation compilation) {
    String key = digest + compilation;
    return COMPILED.computeIfAbsent(key, k -> compile(file.get(), compilation));
  }

  /** Compiles a net that the caller must close. */
  public static CompiledNetwork compile(NetworkFile file, Compilation compilation) {
    Preparation.await();
    long started = System.nanoTime();
    CompiledNetwork network = Engines.compile(file, compilation);
    LOG.info("compiled a net for {} in {} ms", compilation, (System.nanoTime() - started) / 1_000_000);
    return network;
  }
}
