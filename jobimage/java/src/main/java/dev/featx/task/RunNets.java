package dev.featx.task;

import dev.featx.nets.Compilation;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.Detector;
import dev.featx.nets.NetworkFile;

/** The two nets of a run, however they come to where a task runs. */
public interface RunNets {
  /** Returns the detector's network file, or null without a detector. */
  NetworkFile detectorFile();

  /** Returns the network file of the net whose output is the feature. */
  NetworkFile extractorFile();

  /** Returns the detector made ready, once a JVM, or null without one. */
  Detector detector(Compilation how);

  /** Returns the extractor made ready, once a JVM. */
  CompiledNetwork extractor(Compilation how);
}
