package dev.featx.nets;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The precision follows from the resource, the engine and the CPU's instructions. */
class PrecisionTest {
  private static final Set<String> OLD = Set.of("avx2", "fma");
  private static final Set<String> COOPER_LAKE = Set.of("avx2", "avx512_vnni", "avx512_bf16");
  private static final Set<String> ALDER_LAKE = Set.of("avx2", "avx_vnni");

  @Test
  void autoIsBf16IfEngineAndCpuSupportIt() {
    assertEquals(Precision.BF16, Precision.of("auto", Engine.OPENVINO, COOPER_LAKE));
    assertEquals(Precision.F32, Precision.of("auto", Engine.OPENVINO, OLD));
    assertEquals(Precision.F32, Precision.of("auto", Engine.BIGDL, COOPER_LAKE));
  }

  @Test
  void float32RunsOnAnyCpu() {
    assertEquals(Precision.F32, Precision.of("f32", Engine.BIGDL, Set.of()));
  }

  @Test
  void anExplicitPrecisionIsNeverReplaced() {
    assertEquals(Precision.BF16, Precision.of("bf16", Engine.OPENVINO, COOPER_LAKE));
    var problem = assertThrows(RunProblem.class, () -> Precision.of("bf16", Engine.OPENVINO, OLD));
    assertEquals(FailureClass.PRECISION_UNSUPPORTED, problem.failureClass());
    assertTrue(problem.getMessage().contains("spec.precision bf16 needs a CPU with amx_bf16 or avx512_bf16"));
  }

  @Test
  void int8RequiresTheInstructionsOfTheEnginesKernels() {
    assertEquals(Precision.INT8, Precision.of("int8", Engine.OPENVINO, ALDER_LAKE));
    assertThrows(RunProblem.class, () -> Precision.of("int8", Engine.BIGDL, ALDER_LAKE));
    assertEquals(Precision.INT8, Precision.of("int8", Engine.BIGDL, COOPER_LAKE));
  }
}
