package dev.featx.nets.loading;

import dev.featx.nets.Compilation;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.NetworkFile;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
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
    return of(digest(bytes), () -> NetworkFile.read(bytes), how);
  }

  /**
   * Returns the net, as above, for a caller that knows the digest: taking it takes longer than a small shard does.
   *
   * @param digest of the network file
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

  /** Returns the digest by which a network file is known here. */
  public static String digest(byte[] bytes) {
    MessageDigest taken = sha256();
    taken.update(bytes);
    return digest(taken);
  }

  /**
   * Returns the same of a file, which is not read into memory.
   *
   * @throws IOException if it can't be read
   */
  public static String digest(Path file) throws IOException {
    try (DigestInputStream stream = new DigestInputStream(Files.newInputStream(file), sha256())) {
      stream.transferTo(OutputStream.nullOutputStream());
      return digest(stream.getMessageDigest());
    }
  }

  /** Returns the same of a file that was taken in part by part. */
  public static String digest(MessageDigest taken) {
    return HexFormat.of().formatHex(taken.digest());
  }

  /** Returns what takes in a network file for its digest. */
  public static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
