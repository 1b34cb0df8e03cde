package dev.featx.nets.loading;

import dev.featx.nets.Compilation;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.NetworkFile;
import dev.featx.nets.bigdl.BigDlNetwork;
import dev.featx.nets.openvino.OpenVinoNetwork;

/** Compiles a net for the engine that runs it: the one place that knows all engines. */
final class Engines {
  private Engines() {}

  static CompiledNetwork compile(NetworkFile file, Compilation compilation) {
    return switch (compilation.engine()) {
      case BIGDL -> BigDlNetwork.compile(file, compilation);
      case OPENVINO -> OpenVinoNetwork.compile(file, compilation);
    };
  }
}
