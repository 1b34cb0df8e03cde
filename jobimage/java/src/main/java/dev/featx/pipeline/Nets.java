package dev.featx.pipeline;

import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.Compilation;
import dev.featx.nets.Detector;
import dev.featx.nets.NetworkFile;
import dev.featx.nets.Networks;
import java.io.Serializable;
import org.apache.spark.broadcast.Broadcast;

/**
 * The two nets of a run, as executors get them.
 *
 * @param detectorNet null without a detector
 * @param extractorNet the net whose output is the feature
 */
record Nets(Net detectorNet, Net extractorNet) implements Serializable {
  /**
   * A network file, fetched by an executor when it is first asked for.
   *
   * @param digest by which it is known
   * @param bytes the file
   */
  record Net(String digest, Broadcast<byte[]> bytes) implements Serializable {
    NetworkFile file() {
      return NetworkFile.read(bytes.value());
    }

    /** Returns the net made ready, which is its caller's to close. */
    CompiledNetwork made(Compilation how) {
      return Networks.made(file(), how);
    }
  }

  /** Returns the detector made ready, once a JVM, or null without one. */
  Detector detector(Plan plan) {
    return detectorNet == null ? null : new Detector(detectorNet.file(), compiled(detectorNet, plan));
  }

  /** Returns the extractor made ready, once a JVM. */
  CompiledNetwork extractor(Plan plan) {
    return compiled(extractorNet, plan);
  }

  private static CompiledNetwork compiled(Net net, Plan plan) {
    return Networks.of(net.digest(), net.bytes()::value, plan.compilation());
  }
}
