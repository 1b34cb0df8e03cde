package dev.featx.nets;

import java.io.Serializable;
import java.util.Locale;

/**
 * How nets are made ready to run: the same for all nets of a run.
 *
 * @param engine what runs them
 * @param precision numbers that the arithmetic is done in: f32, bf16 or int8
 * @param batch pictures a forward
 * @param cores threads of an executor
 */
public record Compilation(Engine engine, String precision, int batch, int cores) implements Serializable {
  /** Makes one from the words of a plan. */
  public static Compilation of(String engine, String precision, int batch, int cores) {
    return new Compilation(Engine.valueOf(engine.toUpperCase(Locale.ROOT)), precision, batch, cores);
  }
}
