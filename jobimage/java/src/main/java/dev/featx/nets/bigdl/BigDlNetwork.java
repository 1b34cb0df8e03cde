package dev.featx.nets.bigdl;

import com.intel.analytics.bigdl.dllib.nn.abstractnn.Activity;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.DnnGraph;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.HeapData;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.HeapData$;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.MemoryData;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.MklDnnRuntime;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.Phase;
import com.intel.analytics.bigdl.dllib.tensor.Tensor;
import com.intel.analytics.bigdl.dllib.utils.Table;
import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import dev.featx.nets.Compilation;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.NetworkFile;
import dev.featx.nets.Precision;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * A net converted to MKL-DNN primitives, which runs batches of a fixed size.
 *
 * <p>A StaticGraph's own forward runs on BLAS even if mkldnn is selected; only the IR graph created from it (toIRgraph) runs
 * the native primitives. Conversion takes seconds, so a net lives as long as its JVM (dev.featx.nets.loading).
 *
 * <p>A graph runs one batch at a time, so there is one per stream. Callers borrow a stream, or wait until one is free.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
public final class BigDlNetwork implements CompiledNetwork {
  private final BigDlThreads threads;
  private final List<Stream> streams = new ArrayList<>();
  private final BlockingQueue<Stream> free;
  private final int[] inputShape;
  private final int batch;
  private final Precision precision;
  private volatile boolean closed;

  /** A graph and its input. */
  private record Stream(DnnGraph graph, float[] values, Tensor input) {}

  private BigDlNetwork(BigDlThreads threads, List<DnnGraph> graphs, int[] inputShape, int batch, Precision precision) {
    this.threads = threads;
    this.inputShape = inputShape;
    this.batch = batch;
    this.precision = precision;
    for (DnnGraph graph : graphs) {
      float[] values = new float[batch * inputSize()];
      streams.add(new Stream(graph, values, BigDl.tensor(values, batch, inputShape[0], inputShape[1], inputShape[2])));
    }
    this.free = new LinkedBlockingQueue<>(streams);
  }

  /**
   * Converts a net.
   *
   * @param file the net
   * @param compilation an incomplete batch is padded, since the native graph's sizes are fixed on its first run; the first
   *     net of a JVM determines cores and streams
   * @throws RunProblem ModelInvalid, if BigDL cannot run the net
   */
  public static CompiledNetwork compile(NetworkFile file, Compilation compilation) {
    BigDlThreads threads = BigDlThreads.of(compilation);
    Precision precision = compilation.resolved();
    try {
      return compile(file, compilation, threads, precision);
    } catch (RuntimeException e) {
      Throwable cause = e.getCause();
      // BigDL has no exception class for unsupported nets. These exceptions have other causes.
      if (e instanceof RunProblem || cause instanceof Error || cause instanceof InterruptedException
          || cause instanceof ReflectiveOperationException) {
        throw e;
      }
      String message = "engine bigdl cannot run the model " + file.name() + ": " + e.getMessage();
      throw new RunProblem(FailureClass.MODEL_INVALID, message, e);
    }
  }

  private static CompiledNetwork compile(NetworkFile file, Compilation compilation, BigDlThreads threads, Precision precision) {
    int[] shape = file.inputShape();
    Set<String> separate = new HashSet<>();
    List<DnnGraph> graphs = new ArrayList<>();
    while (graphs.size() < threads.streams()) {
      DnnGraph graph = GraphBuilder.build(file, precision, separate);
      Set<String> misplaced = misplacedSums(threads, graph, compilation.batch(), shape);
      if (misplaced.isEmpty()) {
        GraphBuilder.dropHeapWeights(graph);
        graphs.add(graph);
      }
      separate.addAll(misplaced);
    }
    return new BigDlNetwork(threads, graphs, shape, compilation.batch(), precision);
  }

  /** Creates the primitives and returns the sums that must not be fused; if there are any, the graph is wrong and unusable. */
  private static Set<String> misplacedSums(BigDlThreads threads, DnnGraph graph, int batch, int[] shape) {
    try {
      threads.on(() -> createPrimitives(graph, batch, shape));
      return Fusion.misplaced(graph);
    } catch (IllegalStateException e) {
      // BigDL may already reject a sum of different memory layouts here, without naming it.
      Set<String> sums = Fusion.sums(graph);
      if (sums.isEmpty()) {
        throw e;
      }
      return sums;
    }
  }

  private static Void createPrimitives(DnnGraph graph, int batch, int[] shape) {
    int[] batchShape = {batch, shape[0], shape[1], shape[2]};
    graph.setRuntime(new MklDnnRuntime());
    MemoryData input = new HeapData(batchShape, GraphBuilder.FORMAT_NCHW, HeapData$.MODULE$.apply$default$3());
    graph.initFwdPrimitives(new MemoryData[] {input}, Phase.InferencePhase$.MODULE$);
    return null;
  }

  private static Void release(DnnGraph graph) {
    graph.release();
    return null;
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
    Stream stream = CompiledNetwork.borrow(free);
    try {
      if (closed) {
        throw new IllegalStateException("this net is closed");
      }
      int used = count * inputSize();
      System.arraycopy(images, 0, stream.values(), 0, used);
      Arrays.fill(stream.values(), used, stream.values().length, 0f);
      return outputs(threads.on(() -> stream.graph().forward((Activity) stream.input())), count);
    } finally {
      free.add(stream);
    }
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      streams.forEach(stream -> threads.on(() -> release(stream.graph())));
    }
  }

  private float[][] outputs(Activity output, int count) {
    if (output instanceof Table table) {
      float[][] all = new float[table.length()][];
      for (int i = 0; i < all.length; i++) {
        all[i] = values((Tensor) table.apply(i + 1), count);
      }
      return all;
    }
    return new float[][] {values((Tensor) output, count)};
  }

  private float[] values(Tensor tensor, int count) {
    Tensor plain = tensor.isContiguous() ? tensor : tensor.contiguous();
    int start = plain.storageOffset() - 1;
    int length = plain.nElement() / batch;
    return Arrays.copyOfRange((float[]) plain.storage().array(), start, start + count * length);
  }
}
