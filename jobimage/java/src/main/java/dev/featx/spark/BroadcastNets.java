package dev.featx.spark;

import dev.featx.digest.Sha256;
import dev.featx.nets.Compilation;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.Detector;
import dev.featx.nets.NetworkFile;
import dev.featx.nets.loading.Networks;
import dev.featx.task.RunNets;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ForkJoinPool;
import java.util.function.Function;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The nets of a run, which Spark broadcasts to the executors once.
 *
 * @param detectorNet null without a detector
 * @param extractorNet the net whose output is the feature
 */
record BroadcastNets(Net detectorNet, Net extractorNet) implements RunNets, Serializable {
  private static final Logger LOG = LoggerFactory.getLogger(BroadcastNets.class);
  private static final int PART = 16 << 20;
  private static final int PARALLELISM = 4;
  private static final ConcurrentHashMap<String, Detector> DETECTORS = new ConcurrentHashMap<>();

  /**
   * A network file: broadcast in parts, assembled on each executor's disk and read from there. Otherwise VGG16's half
   * gigabyte would occupy the heap while the net is built.
   *
   * @param digest identifies it
   * @param file its path on the driver
   * @param parts of the file, in order; none if the driver is also the executor
   */
  record Net(String digest, String file, List<Broadcast<FilePart>> parts) implements Serializable {
    /**
     * Broadcasts a file.
     *
     * @param spark the context
     * @param path on the driver, which must exist until the run ends
     * @throws IOException if it can't be read
     */
    static Net of(JavaSparkContext spark, Path path) throws IOException {
      long started = System.nanoTime();
      String digest = Sha256.of(path);
      long size = spark.isLocal() ? 0 : Files.size(path);
      List<FilePart> parts = new ArrayList<>();
      for (long at = 0; at < size; at += PART) {
        parts.add(new FilePart(path, digest + ".net", at, (int) Math.min(PART, size - at)));
      }
      List<Broadcast<FilePart>> broadcasts = parts.stream().map(spark::broadcast).toList();
      LOG.info("broadcast {} in {} ms", path.getFileName(), (System.nanoTime() - started) / 1_000_000);
      return new Net(digest, path.toString(), broadcasts);
    }

    NetworkFile read() {
      try {
        return NetworkFile.read(onDisk());
      } catch (IOException e) {
        throw new UncheckedIOException("cannot write a net to the executor's disk", e);
      }
    }

    private Path onDisk() throws IOException {
      if (parts.isEmpty()) {
        return Path.of(file);
      }
      synchronized (Net.class) {
        long started = System.nanoTime();
        Path path = inParallel(parts, Broadcast::value).get(0).file();
        LOG.info("received a net of {} MiB in {} ms", Files.size(path) >> 20, (System.nanoTime() - started) / 1_000_000);
        return path;
      }
    }

    /** Writes one part to disk while another is in transit. */
    private static <P, R> List<R> inParallel(List<P> parts, Function<P, R> step) {
      ForkJoinPool pool = new ForkJoinPool(PARALLELISM);
      try {
        return pool.submit(() -> parts.parallelStream().map(step).toList()).join();
      } finally {
        pool.shutdown();
      }
    }
  }

  @Override
  public NetworkFile detectorFile() {
    return detectorNet == null ? null : detectorNet.read();
  }

  @Override
  public NetworkFile extractorFile() {
    return extractorNet.read();
  }

  @Override
  public Detector detector(Compilation compilation) {
    return detectorNet == null ? null
        : DETECTORS.computeIfAbsent(detectorNet.digest() + compilation, key -> createDetector(compilation));
  }

  private Detector createDetector(Compilation compilation) {
    NetworkFile file = detectorNet.read();
    // Fetch the extractor's file, often the larger one, while the detector is compiled.
    ForkJoinPool.commonPool().execute(extractorNet::read);
    return new Detector(file, Networks.of(detectorNet.digest(), () -> file, compilation));
  }

  @Override
  public CompiledNetwork extractor(Compilation compilation) {
    return Networks.of(extractorNet.digest(), extractorNet::read, compilation);
  }
}
