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
 * A net that runs on OpenVINO's CPU plugin.
 *
 * <p>One compiled model has several streams, which share its weights; their threads do not synchronize with one another.
 * Callers borrow a request, or wait until one is free.
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

  /** A request with its own input, in memory that OpenVINO reads directly. */
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
   * @param compilation precision, batch, cores and streams
   * @throws RunProblem ModelInvalid, if OpenVINO cannot run the net
   */
  public static CompiledNetwork compile(NetworkFile file, Compilation compilation) {
    Memory onnx = file.onnx();
    PointerByReference model = new PointerByReference();
    checkModel(LIBRARY.ov_core_read_model_from_memory_buffer(CORE, onnx, onnx.size(), null, model), "read", file);
    try {
      fixBatch(model.getValue(), file, compilation.batch());
      int streams = compilation.streams();
      Precision precision = compilation.resolved();
      List<Pointer> compiled = new ArrayList<>();
      if (precision == Precision.INT8) {
        // With several streams, OpenVINO 2026.4 sometimes compiles int8 nets that compute wrong results: 12 of 20 in a test.
        for (int i = 0; i < streams; i++) {
          compiled.add(compiled(model.getValue(), file, properties(precision, 1, Math.max(1, compilation.cores() / streams))));
        }
      } else {
        compiled.add(compiled(model.getValue(), file, properties(precision, streams, compilation.cores())));
      }
      return new OpenVinoNetwork(compiled, file, compilation.batch(), precision, streams);
    } finally {
      LIBRARY.ov_model_free(model.getValue());
      onnx.close();
    }
  }

  private static Pointer compiled(Pointer model, NetworkFile file, OpenVino.Property[] properties) {
    PointerByReference compiled = new PointerByReference();
    checkModel(LIBRARY.ov_core_compile_model_props(CORE, model, "CPU", properties.length, properties[0], compiled),
        "compile", file);
    return compiled.getValue();
  }

  private static OpenVino.Property[] properties(Precision precision, int streams, int threads) {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("NUM_STREAMS", Integer.toString(streams));
    settings.put("INFERENCE_NUM_THREADS", Integer.toString(threads));
    // An int8 model marks its int8 layers itself; the others run in f32.
    settings.put("INFERENCE_PRECISION_HINT", precision == Precision.BF16 ? "bf16" : "f32");
    // Otherwise two executors on a node would be pinned to the same cores.
    settings.put("ENABLE_CPU_PINNING", "NO");
    OpenVino.Property[] properties = (OpenVino.Property[]) new OpenVino.Property().toArray(settings.size());
    int at = 0;
    for (Map.Entry<String, String> setting : settings.entrySet()) {
      properties[at].key = setting.getKey();
      properties[at++].value = setting.getValue();
    }
    return properties;
  }

  private static void fixBatch(Pointer model, NetworkFile file, int batch) {
    int[] shape = file.inputShape();
    OpenVino.PartialShape.Value value = new OpenVino.PartialShape.Value();
    OpenVino.PartialShape created = new OpenVino.PartialShape();
    check(LIBRARY.ov_partial_shape_create_static(4, new long[] {batch, shape[0], shape[1], shape[2]}, created),
        "cannot create a shape");
    value.rankMin = created.rankMin;
    value.rankMax = created.rankMax;
    value.dims = created.dims;
    try {
      checkModel(LIBRARY.ov_model_reshape_single_input(model, value), "set a batch of " + batch + " on", file);
    } finally {
      LIBRARY.ov_partial_shape_free(created);
    }
  }

  private Request request(Pointer compiled) {
    PointerByReference handle = new PointerByReference();
    check(LIBRARY.ov_compiled_model_create_infer_request(compiled, handle), "cannot create a request");
    Memory input = new Memory((long) batch * inputSize() * Float.BYTES);
    input.clear();
    Memory dims = new Memory(4L * Long.BYTES);
    dims.write(0, new long[] {batch, inputShape[0], inputShape[1], inputShape[2]}, 0, 4);
    OpenVino.Shape shape = new OpenVino.Shape();
    shape.rank = 4;
    shape.dims = dims;
    PointerByReference tensor = new PointerByReference();
    check(LIBRARY.ov_tensor_create_from_host_ptr(OpenVino.F32, shape, input, tensor), "cannot create the input tensor");
    check(LIBRARY.ov_infer_request_set_input_tensor_by_index(handle.getValue(), 0, tensor.getValue()),
        "cannot set the input tensor");
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
    Request request = CompiledNetwork.borrow(free);
    try {
      if (closed) {
        throw new IllegalStateException("this net is closed");
      }
      request.input().write(0, images, 0, count * inputSize());
      check(LIBRARY.ov_infer_request_infer(request.handle()), "inference failed");
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
    check(LIBRARY.ov_infer_request_get_output_tensor_by_index(request.handle(), index, tensor), "cannot get an output tensor");
    try {
      check(LIBRARY.ov_tensor_data(tensor.getValue(), data), "cannot read an output tensor");
      int length = 1;
      for (int size : outputShapes.get(index)) {
        length *= size;
      }
      return data.getValue().getFloatArray(0, count * length);
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
    check(LIBRARY.ov_core_create(core), "cannot create a core");
    return core.getValue();
  }

  private static void checkModel(int status, String action, NetworkFile file) {
    if (status != 0) {
      throw new RunProblem(FailureClass.MODEL_INVALID, "engine openvino cannot " + action + " the model " + file.name()
          + " (status " + status + "): " + LIBRARY.ov_get_last_err_msg());
    }
  }

  private static void check(int status, String problem) {
    if (status != 0) {
      String reason = LIBRARY.ov_get_last_err_msg();
      throw new IllegalStateException("OpenVINO: " + problem + " (status " + status + "): " + reason);
    }
  }
}
