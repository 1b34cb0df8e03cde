package dev.featx.nets.loading;

import dev.featx.nets.Compilation;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.NetworkFile;
import dev.featx.nets.bigdl.BigDlNetwork;
import dev.featx.nets.openvino.OpenVinoNetwork;

/** Compiles a net for the engine that runs it: the one place that knows all engines. */
final class Engines {
  private Engines() {}

  static CompiledNetwork compile(NetworkFile file, Compilation how) {
    return switch (how.engine()) {
      case BIGDL -> BigDlNetwork.compile(file, how);
      case OPENVINO -> OpenVinoNetwork.compile(file, how);
    };
  }
}
