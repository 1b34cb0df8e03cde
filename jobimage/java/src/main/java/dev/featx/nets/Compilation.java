package dev.featx.nets;

import java.io.Serializable;
import java.util.Locale;

/**
 * Settings for compiling nets, the same for all nets of a run.
 *
 * @param engine runs the nets
 * @param precision f32, bf16, int8 or auto, as in the resource ({@link Precision})
 * @param batch images per forward pass
 * @param cores threads per executor
 * @param streams batches that a net runs concurrently, each on an equal share of the cores
 */
public record Compilation(Engine engine, String precision, int batch, int cores, int streams) implements Serializable {
  /** Creates settings from an engine's name. */
  public static Compilation of(String engine, String precision, int batch, int cores, int streams) {
    return new Compilation(Engine.valueOf(engine.toUpperCase(Locale.ROOT)), precision, batch, cores, streams);
  }

  /**
   * Returns the precision of computations on this machine.
   *
   * @throws dev.featx.failure.RunProblem PrecisionUnsupported, if its CPU lacks the instructions
   */
  public Precision resolved() {
    return Precision.of(precision, engine);
  }

  /** Returns the settings for observing nets: in float32, one image per batch, on the engine that can output all layers. */
  public Compilation plain() {
    return new Compilation(Engine.OPENVINO, "f32", 1, cores, 1);
  }
}
