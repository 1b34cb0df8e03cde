package dev.featx.nets;

import com.intel.analytics.bigdl.dllib.nn.Graph;
import com.intel.analytics.bigdl.dllib.nn.SpatialDilatedConvolution;
import com.intel.analytics.bigdl.dllib.nn.StaticGraph;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.AbstractModule;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.Activity;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.DataFormat;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.BlasWrapper;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.SpatialConvolution;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.SpatialConvolution$;
import com.intel.analytics.bigdl.dllib.tensor.Tensor;
import com.intel.analytics.bigdl.dllib.utils.Engine$;
import com.intel.analytics.bigdl.dllib.utils.Node;
import com.intel.analytics.bigdl.dllib.utils.Table;
import com.intel.analytics.bigdl.dllib.utils.intermediate.IRGraph;
import java.util.Arrays;

/**
 * A net converted to MKL-DNN's primitives, which runs batches of one fixed size.
 *
 * <p>A StaticGraph's own forward runs on BLAS even where mkldnn is chosen; only the IR graph made of it (toIRgraph) runs
 * the native primitives. Conversion costs seconds, so one lives as long as its JVM ({@link Networks}).
 *
 * <p>Calls are serialised: one forward uses all of the executor's cores already.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
public final class CompiledNetwork {
  private static boolean engineReady;

  private final AbstractModule module;
  private final int[] inputShape;
  private final int batch;
  private final float[] buffer;
  private final Tensor input;

  private CompiledNetwork(AbstractModule module, int[] inputShape, int batch) {
    this.module = module;
    this.inputShape = inputShape;
    this.batch = batch;
    this.buffer = new float[batch * inputSize()];
    this.input = GraphBuilder.tensor(buffer, batch, inputShape[0], inputShape[1], inputShape[2]);
  }

  /**
   * Converts a net.
   *
   * @param file the net
   * @param batch pictures a forward; fewer are padded, since the native graph's sizes are fixed when it is first run
   * @param cores threads of a forward; the first net of a JVM decides
   */
  public static CompiledNetwork compile(NetworkFile file, int batch, int cores) {
    prepareEngine(cores);
    StaticGraph graph = GraphBuilder.build(file);
    graph.evaluate();
    IRGraph converted = graph.toIRgraph();
    converted.evaluate();
    dilateNatively(converted.graph());
    return new CompiledNetwork(converted, file.inputShape(), batch);
  }

  /** Tells BigDL of this JVM's cores, which needs no Spark context and no knowledge of the cluster's size. */
  private static synchronized void prepareEngine(int cores) {
    if (!engineReady) {
      Engine$.MODULE$.setNodeAndCore(1, cores);
      engineReady = true;
    }
  }

  /** Swaps dilated convolutions, which BigDL wraps in BLAS, for MKL-DNN's, which know dilation: 58 to 71 pictures/s. */
  private static void dilateNatively(Graph graph) {
    for (Object each : (Object[]) graph.getSortedForwardExecutions()) {
      Node node = (Node) each;
      if (node.element() instanceof BlasWrapper wrapper
          && wrapper.module() instanceof SpatialDilatedConvolution dilated) {
        SpatialConvolution convolution = SpatialConvolution$.MODULE$.apply(dilated.nInputPlane(), dilated.nOutputPlane(),
            dilated.kW(), dilated.kH(), dilated.dW(), dilated.dH(), dilated.padW(), dilated.padH(), 1, true, null, null,
            dilated.weight(), dilated.bias(), null, null, true, DataFormat.NCHW$.MODULE$, dilated.dilationW(),
            dilated.dilationH());
        convolution.setName(((AbstractModule) wrapper).getName());
        convolution.evaluate();
        node.element_$eq(convolution);
      }
    }
  }

  /** Returns {channels, height, width} of a picture. */
  public int[] inputShape() {
    return inputShape.clone();
  }

  /** Returns how many pictures a forward takes at the most. */
  public int batch() {
    return batch;
  }

  /** Returns how many floats a picture has. */
  public int inputSize() {
    return inputShape[0] * inputShape[1] * inputShape[2];
  }

  /**
   * Runs a batch.
   *
   * @param pictures pictures one after another, each channels x height x width
   * @param count how many there are, at most {@link #batch()}
   * @return for each output of the net, in the network file's order, its values for these pictures one after another
   */
  public synchronized float[][] forward(float[] pictures, int count) {
    if (count < 1 || count > batch) {
      throw new IllegalArgumentException("a batch of " + count + " where 1 to " + batch + " fit");
    }
    int used = count * inputSize();
    System.arraycopy(pictures, 0, buffer, 0, used);
    Arrays.fill(buffer, used, buffer.length, 0f);
    Activity output = module.forward((Activity) input);
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
