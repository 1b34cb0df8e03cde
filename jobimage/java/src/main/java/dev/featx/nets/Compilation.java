package dev.featx.nets;

import java.io.Serializable;
import java.util.Locale;

/**
 * How nets are made ready to run: the same for all nets of a run.
 *
 * @param engine what runs them
 * @param precision f32, bf16, int8 or auto, as the resource says ({@link Precision})
 * @param batch images a forward
 * @param cores threads of an executor
 * @param streams batches that a net runs at the same time, with an equal part of the cores each
 */
public record Compilation(Engine engine, String precision, int batch, int cores, int streams) implements Serializable {
  /** Makes one from the words of a plan. */
  public static Compilation of(String engine, String precision, int batch, int cores, int streams) {
    return new Compilation(Engine.valueOf(engine.toUpperCase(Locale.ROOT)), precision, batch, cores, streams);
  }

  /**
   * Returns what is computed in on this machine.
   *
   * @throws UnsupportedOperationException if its CPU lacks it
   */
  public Precision resolved() {
    return Precision.of(precision, engine);
  }

  /** Returns how nets are made that are looked into: in float32, an image at a time, by the engine that hands out all values. */
  public Compilation plain() {
    return new Compilation(Engine.OPENVINO, "f32", 1, cores, 1);
  }
}
