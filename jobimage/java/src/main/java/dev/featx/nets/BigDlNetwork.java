package dev.featx.nets;

import com.intel.analytics.bigdl.dllib.nn.abstractnn.Activity;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.DnnGraph;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.HeapData;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.HeapData$;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.MemoryData;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.MklDnnRuntime;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.Phase;
import com.intel.analytics.bigdl.dllib.tensor.Tensor;
import com.intel.analytics.bigdl.dllib.utils.Engine$;
import com.intel.analytics.bigdl.dllib.utils.Table;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import scala.Function0;
import scala.collection.JavaConverters;

/**
 * A net converted to MKL-DNN's primitives, which runs batches of one fixed size.
 *
 * <p>A StaticGraph's own forward runs on BLAS even where mkldnn is chosen; only the IR graph made of it (toIRgraph) runs
 * the native primitives. Conversion costs seconds, so one lives as long as its JVM ({@link Networks}).
 *
 * <p>Calls are serialised: one forward uses all of the executor's cores already.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
final class BigDlNetwork implements CompiledNetwork {
  private static boolean engineReady;

  private final DnnGraph graph;
  private final int[] inputShape;
  private final int batch;
  private final float[] buffer;
  private final Tensor input;
  private final Precision precision;
  private boolean closed;

  private BigDlNetwork(DnnGraph graph, int[] inputShape, int batch, Precision precision) {
    this.precision = precision;
    this.graph = graph;
    this.inputShape = inputShape;
    this.batch = batch;
    this.buffer = new float[batch * inputSize()];
    this.input = BigDl.tensor(buffer, batch, inputShape[0], inputShape[1], inputShape[2]);
  }

  /**
   * Converts a net.
   *
   * @param file the net
   * @param how a batch that is not full is padded, since the native graph's sizes are fixed when it is first run; on the
   *     cores, which are the threads of a forward, the first net of a JVM decides
   */
  static CompiledNetwork compile(NetworkFile file, Compilation how) {
    prepareEngine(how.cores());
    int batch = how.batch();
    Precision precision = how.resolved();
    int[] shape = file.inputShape();
    Set<String> separate = new HashSet<>();
    while (true) {
      DnnGraph graph = GraphBuilder.build(file, precision, separate);
      Set<String> misplaced = misplacedSums(graph, batch, shape);
      if (misplaced.isEmpty()) {
        GraphBuilder.dropHeapWeights(graph);
        return new BigDlNetwork(graph, shape, batch, precision);
      }
      separate.addAll(misplaced);
    }
  }

  /** Makes the primitives, and returns the sums that must be kept apart for the net to be right: then it is no use. */
  private static Set<String> misplacedSums(DnnGraph graph, int batch, int[] shape) {
    try {
      onEngineThread(() -> makePrimitives(graph, batch, shape));
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

  /** Runs on BigDL's one thread for MKL-DNN, whose number of OpenMP threads was set (IRGraph does the same). */
  private static <T> T onEngineThread(Supplier<T> work) {
    Object[] result = new Object[1];
    Function0<Object> task = () -> result[0] = work.get();
    try {
      Engine$.MODULE$.dnnComputing().invokeAndWait2(
          JavaConverters.asScalaBufferConverter(List.of(task)).asScala(), Long.MAX_VALUE, TimeUnit.NANOSECONDS);
    } catch (Exception e) {
      // BigDL's are checked exceptions that no signature tells of; the first line has the reason.
      throw new IllegalStateException("BigDL: " + e.getMessage().lines().findFirst().orElse(e.toString()), e);
    }
    return (T) result[0];
  }

  /**
   * Tells BigDL of this JVM's cores, which needs no Spark context and no knowledge of the cluster's size.
   *
   * <p>The number of cores that BigDL is told does not decide on OpenMP's threads, the property does; without it BigDL takes
   * all cores of the machine, whatever the executor has.
   */
  private static synchronized void prepareEngine(int cores) {
    if (!engineReady) {
      System.setProperty("bigdl.engineType", "mkldnn");
      System.setProperty("bigdl.mklNumThreads", Integer.toString(cores));
      if (System.getProperty("bigdl.disableOmpAffinity") == null) {
        // Two executors on a node would otherwise be pinned to the same cores.
        System.setProperty("bigdl.disableOmpAffinity", "true");
      }
      Fusion.turnOffBigDls();
      Engine$.MODULE$.setNodeAndCore(1, cores);
      engineReady = true;
    }
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
  public synchronized float[][] forward(float[] pictures, int count) {
    if (closed) {
      throw new IllegalStateException("this net was closed");
    }
    CompiledNetwork.check(count, batch);
    int used = count * inputSize();
    System.arraycopy(pictures, 0, buffer, 0, used);
    Arrays.fill(buffer, used, buffer.length, 0f);
    Activity output = onEngineThread(() -> graph.forward((Activity) input));
    if (output instanceof Table table) {
      float[][] all = new float[table.length()][];
      for (int i = 0; i < all.length; i++) {
        all[i] = values((Tensor) table.apply(i + 1), count);
      }
      return all;
    }
    return new float[][] {values((Tensor) output, count)};
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      onEngineThread(() -> release(graph));
    }
  }

  private float[] values(Tensor tensor, int count) {
    Tensor plain = tensor.isContiguous() ? tensor : tensor.contiguous();
    int start = plain.storageOffset() - 1;
    int each = plain.nElement() / batch;
    return Arrays.copyOfRange((float[]) plain.storage().array(), start, start + count * each);
  }
}
