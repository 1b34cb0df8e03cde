package dev.featx.nets.openvino;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;
import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import dev.featx.nets.Compilation;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.NetworkFile;
import dev.featx.nets.Precision;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/**
 * A net that OpenVINO's CPU plugin runs.
 *
 * <p>One compiled model with several streams: they share its weights, and a request of one needs no other's threads to be in
 * step with it. A caller borrows a request; those that find none wait.
 */
public final class OpenVinoNetwork implements CompiledNetwork {
  private static final OpenVino LIBRARY = OpenVino.load();
  private static final Pointer CORE = core();

  private final List<Pointer> compiled;
  private final int[] inputShape;
  private final int batch;
  private final List<int[]> outputShapes;
  private final BlockingQueue<Request> free;
  private final Precision precision;
  private volatile boolean closed;

  /** A request with its own input, in memory that OpenVINO reads in place. */
  private record Request(Pointer handle, Memory input) {}

  private OpenVinoNetwork(List<Pointer> compiled, NetworkFile file, int batch, Precision precision, int requests) {
    this.precision = precision;
    this.compiled = compiled;
    this.inputShape = file.inputShape();
    this.batch = batch;
    this.outputShapes = file.outputShapes();
    this.free = new ArrayBlockingQueue<>(requests);
    for (int i = 0; i < requests; i++) {
      free.add(request(compiled.get(i % compiled.size())));
    }
  }

  /**
   * Compiles the ONNX model of a network file.
   *
   * @param file the net, written for OpenVINO
   * @param how precision, batch and threads
   * @throws RunProblem ModelInvalid, if OpenVINO cannot run the net
   */
  public static CompiledNetwork compile(NetworkFile file, Compilation how) {
    Memory onnx = file.onnx();
    PointerByReference model = new PointerByReference();
    accept(LIBRARY.ov_core_read_model_from_memory_buffer(CORE, onnx, onnx.size(), null, model), "read", file);
    try {
      fixBatch(model.getValue(), file, how.batch());
      int streams = how.streams();
      Precision precision = how.resolved();
      List<Pointer> compiled = new ArrayList<>();
      if (precision == Precision.INT8) {
        // With several streams 2026.4 makes nets of integers that are wrong now and then: seen in 12 of 20.
        for (int i = 0; i < streams; i++) {
          compiled.add(compiled(model.getValue(), file, properties(precision, 1, Math.max(1, how.cores() / streams))));
        }
      } else {
        compiled.add(compiled(model.getValue(), file, properties(precision, streams, how.cores())));
      }
      return new OpenVinoNetwork(compiled, file, how.batch(), precision, streams);
    } finally {
      LIBRARY.ov_model_free(model.getValue());
      onnx.close();
    }
  }

  private static Pointer compiled(Pointer model, NetworkFile file, OpenVino.Property[] properties) {
    PointerByReference compiled = new PointerByReference();
    accept(LIBRARY.ov_core_compile_model_props(CORE, model, "CPU", properties.length, properties[0], compiled), "compile", file);
    return compiled.getValue();
  }

  private static OpenVino.Property[] properties(Precision precision, int streams, int threads) {
    Map<String, String> wanted = new LinkedHashMap<>();
    wanted.put("NUM_STREAMS", Integer.toString(streams));
    wanted.put("INFERENCE_NUM_THREADS", Integer.toString(threads));
    // An int8 model says itself where it is int8; what is left of it runs as f32.
    wanted.put("INFERENCE_PRECISION_HINT", precision == Precision.BF16 ? "bf16" : "f32");
    // Two executors on a node would otherwise be pinned to the same cores.
    wanted.put("ENABLE_CPU_PINNING", "NO");
    OpenVino.Property[] made = (OpenVino.Property[]) new OpenVino.Property().toArray(wanted.size());
    int at = 0;
    for (Map.Entry<String, String> each : wanted.entrySet()) {
      made[at].key = each.getKey();
      made[at++].value = each.getValue();
    }
    return made;
  }

  private static void fixBatch(Pointer model, NetworkFile file, int batch) {
    int[] shape = file.inputShape();
    OpenVino.PartialShape.Value whole = new OpenVino.PartialShape.Value();
    OpenVino.PartialShape made = new OpenVino.PartialShape();
    check(LIBRARY.ov_partial_shape_create_static(4, new long[] {batch, shape[0], shape[1], shape[2]}, made), "a shape");
    whole.rankMin = made.rankMin;
    whole.rankMax = made.rankMax;
    whole.dims = made.dims;
    try {
      accept(LIBRARY.ov_model_reshape_single_input(model, whole), "set a batch of " + batch + " on", file);
    } finally {
      LIBRARY.ov_partial_shape_free(made);
    }
  }

  private Request request(Pointer compiled) {
    PointerByReference handle = new PointerByReference();
    check(LIBRARY.ov_compiled_model_create_infer_request(compiled, handle), "no request");
    Memory input = new Memory((long) batch * inputSize() * Float.BYTES);
    input.clear();
    Memory dims = new Memory(4L * Long.BYTES);
    dims.write(0, new long[] {batch, inputShape[0], inputShape[1], inputShape[2]}, 0, 4);
    OpenVino.Shape shape = new OpenVino.Shape();
    shape.rank = 4;
    shape.dims = dims;
    PointerByReference tensor = new PointerByReference();
    check(LIBRARY.ov_tensor_create_from_host_ptr(OpenVino.F32, shape, input, tensor), "no input");
    check(LIBRARY.ov_infer_request_set_input_tensor_by_index(handle.getValue(), 0, tensor.getValue()), "no input");
    LIBRARY.ov_tensor_free(tensor.getValue());
    return new Request(handle.getValue(), input);
  }

  @Override
  public int[] inputShape() {
    return inputShape.clone();
  }

  @Override
  public int batch() {
    return batch;
  }

  @Override
  public Precision precision() {
    return precision;
  }

  @Override
  public float[][] forward(float[] images, int count) {
    CompiledNetwork.check(count, batch);
    Request request = CompiledNetwork.taken(free);
    try {
      if (closed) {
        throw new IllegalStateException("this net was closed");
      }
      request.input().write(0, images, 0, count * inputSize());
      check(LIBRARY.ov_infer_request_infer(request.handle()), "a batch failed");
      float[][] outputs = new float[outputShapes.size()][];
      for (int i = 0; i < outputs.length; i++) {
        outputs[i] = output(request, i, count);
      }
      return outputs;
    } finally {
      free.add(request);
    }
  }

  private float[] output(Request request, int index, int count) {
    PointerByReference tensor = new PointerByReference();
    PointerByReference data = new PointerByReference();
    check(LIBRARY.ov_infer_request_get_output_tensor_by_index(request.handle(), index, tensor), "no output");
    try {
      check(LIBRARY.ov_tensor_data(tensor.getValue(), data), "no output");
      int each = 1;
      for (int size : outputShapes.get(index)) {
        each *= size;
      }
      return data.getValue().getFloatArray(0, count * each);
    } finally {
      LIBRARY.ov_tensor_free(tensor.getValue());
    }
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      free.forEach(request -> LIBRARY.ov_infer_request_free(request.handle()));
      compiled.forEach(LIBRARY::ov_compiled_model_free);
    }
  }

  private static Pointer core() {
    PointerByReference core = new PointerByReference();
    check(LIBRARY.ov_core_create(core), "OpenVINO does not start");
    return core.getValue();
  }

  private static void accept(int status, String what, NetworkFile file) {
    if (status != 0) {
      throw new RunProblem(FailureClass.MODEL_INVALID, "engine openvino cannot " + what + " the model " + file.name() + " (status "
          + status + "): " + LIBRARY.ov_get_last_err_msg());
    }
  }

  private static void check(int status, String what) {
    if (status != 0) {
      String why = LIBRARY.ov_get_last_err_msg();
      throw new IllegalStateException("OpenVINO: " + what + " (status " + status + "): " + why);
    }
  }
}
