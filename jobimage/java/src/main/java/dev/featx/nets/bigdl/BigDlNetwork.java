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
 * A net converted to MKL-DNN's primitives, which runs batches of one fixed size.
 *
 * <p>A StaticGraph's own forward runs on BLAS even where mkldnn is chosen; only the IR graph made of it (toIRgraph) runs
 * the native primitives. Conversion costs seconds, so one lives as long as its JVM (dev.featx.nets.loading).
 *
 * <p>A graph can run one batch at a time, so there is one for each stream. A caller borrows one; those that find none wait.
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
   * @param how a batch that is not full is padded, since the native graph's sizes are fixed when it is first run; on cores
   *     and streams the first net of a JVM decides
   * @throws RunProblem ModelInvalid, if BigDL cannot run the net
   */
  public static CompiledNetwork compile(NetworkFile file, Compilation how) {
    BigDlThreads threads = BigDlThreads.of(how);
    Precision precision = how.resolved();
    try {
      return compile(file, how, threads, precision);
    } catch (RuntimeException e) {
      Throwable cause = e.getCause();
      // What BigDL requires of a net has no class of its own. These say that it is not about the net.
      if (e instanceof RunProblem || cause instanceof Error || cause instanceof InterruptedException
          || cause instanceof ReflectiveOperationException) {
        throw e;
      }
      String message = "engine bigdl cannot run the model " + file.name() + ": " + e.getMessage();
      throw new RunProblem(FailureClass.MODEL_INVALID, message, e);
    }
  }

  private static CompiledNetwork compile(NetworkFile file, Compilation how, BigDlThreads threads, Precision precision) {
    int[] shape = file.inputShape();
    Set<String> separate = new HashSet<>();
    List<DnnGraph> graphs = new ArrayList<>();
    while (graphs.size() < threads.streams()) {
      DnnGraph graph = GraphBuilder.build(file, precision, separate);
      Set<String> misplaced = misplacedSums(threads, graph, how.batch(), shape);
      if (misplaced.isEmpty()) {
        GraphBuilder.dropHeapWeights(graph);
        graphs.add(graph);
      }
      separate.addAll(misplaced);
    }
    return new BigDlNetwork(threads, graphs, shape, how.batch(), precision);
  }

  /** Makes the primitives, and returns the sums that must be kept apart for the net to be right: then it is no use. */
  private static Set<String> misplacedSums(BigDlThreads threads, DnnGraph graph, int batch, int[] shape) {
    try {
      threads.on(() -> makePrimitives(graph, batch, shape));
      return Fusion.misplaced(graph);
    } catch (IllegalStateException e) {
      // A sum whose parts lie differently may be refused here already, without a word on which one.
      Set<String> sums = Fusion.sums(graph);
      if (sums.isEmpty()) {
        throw e;
      }
      return sums;
    }
  }

  private static Void makePrimitives(DnnGraph graph, int batch, int[] shape) {
    int[] whole = {batch, shape[0], shape[1], shape[2]};
    graph.setRuntime(new MklDnnRuntime());
    MemoryData input = new HeapData(whole, GraphBuilder.FORMAT_NCHW, HeapData$.MODULE$.apply$default$3());
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
    Stream stream = CompiledNetwork.taken(free);
    try {
      if (closed) {
        throw new IllegalStateException("this net was closed");
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
    int each = plain.nElement() / batch;
    return Arrays.copyOfRange((float[]) plain.storage().array(), start, start + count * each);
  }
}
