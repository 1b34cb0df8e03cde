package dev.featx.nets;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The number format of a net's arithmetic. All but float32 need instructions that not every CPU has. */
public enum Precision {
  F32(Set.of(), Set.of()),
  BF16(Set.of(), Set.of("avx512_bf16", "amx_bf16")),
  INT8(Set.of("avx512_vnni"), Set.of("avx512_vnni", "avx_vnni", "amx_int8"));

  private final Set<String> forBigDl;
  private final Set<String> forOpenVino;

  Precision(Set<String> forBigDl, Set<String> forOpenVino) {
    this.forBigDl = forBigDl;
    this.forOpenVino = forOpenVino;
  }

  /**
   * Returns the precision of a run on this machine.
   *
   * @param word f32, bf16, int8, or auto: bf16 if engine and CPU support it, else f32
   * @param engine runs the nets
   * @throws RunProblem PrecisionUnsupported, if this CPU lacks the instructions
   */
  public static Precision of(String word, Engine engine) {
    return of(word, engine, instructions());
  }

  static Precision of(String word, Engine engine, Set<String> instructions) {
    if (word.equals("auto")) {
      return engine == Engine.OPENVINO && BF16.isSupported(engine, instructions) ? BF16 : F32;
    }
    Precision requested = valueOf(word.toUpperCase(Locale.ROOT));
    if (!requested.isSupported(engine, instructions)) {
      throw new RunProblem(FailureClass.PRECISION_UNSUPPORTED, "spec.precision " + word + " needs a CPU with "
          + requested.required(engine).sorted().collect(Collectors.joining(" or ")) + ", which an executor's node lacks;"
          + " use auto or f32, or set spec.execution.nodePool to nodes that have it");
    }
    return requested;
  }

  /** Returns the resource's value for this precision. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  private boolean isSupported(Engine engine, Set<String> instructions) {
    return this == F32 || required(engine).anyMatch(instructions::contains);
  }

  private Stream<String> required(Engine engine) {
    return (engine == Engine.BIGDL ? forBigDl : forOpenVino).stream();
  }

  /** Returns the first CPU's instruction sets, as reported by the kernel. */
  private static Set<String> instructions() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines.filter(line -> line.startsWith("flags")).findFirst()
          .map(line -> Set.of(line.substring(line.indexOf(':') + 1).trim().split("\\s+"))).orElse(Set.of());
    } catch (IOException e) {
      return Set.of();
    }
  }
}
