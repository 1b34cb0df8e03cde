package dev.featx.task;

import dev.featx.nets.Compilation;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.Detector;
import dev.featx.nets.NetworkFile;

/** The two nets of a run, independent of how they reach the executor. */
public interface RunNets {
  /** Returns the detector's network file, or null without a detector. */
  NetworkFile detectorFile();

  /** Returns the extractor's network file. */
  NetworkFile extractorFile();

  /** Returns the detector, compiled once per JVM, or null without one. */
  Detector detector(Compilation compilation);

  /** Returns the extractor, compiled once per JVM. */
  CompiledNetwork extractor(Compilation compilation);
}
