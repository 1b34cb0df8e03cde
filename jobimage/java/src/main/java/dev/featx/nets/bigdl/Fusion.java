package dev.featx.nets.bigdl;

import com.intel.analytics.bigdl.dllib.nn.Graph;
import com.intel.analytics.bigdl.dllib.nn.abstractnn.AbstractModule;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.CAddTable;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.Identity;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.MaxPooling;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.ReLU;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.SpatialBatchNormalization;
import com.intel.analytics.bigdl.dllib.nn.mkldnn.SpatialConvolution;
import com.intel.analytics.bigdl.dllib.utils.Node;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import scala.collection.JavaConverters;

/**
 * Fuses convolutions with the ReLU and the sum that follow them, where that changes no result.
 *
 * <p>BigDL's own fusion (nn.mkldnn.Fusion) considers only a layer and its predecessor: it fuses even if another layer reads
 * the lost value, and moves a ReLU from before a sum to after it. The results are wrong numbers or a crash, so it is
 * disabled ({@link #disableBigDlFusion}) and replaced by this class.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Fusion {
  private Fusion() {}

  /** Disables BigDL's fusion in this JVM. */
  static void disableBigDlFusion() {
    System.setProperty("bigdl.mkldnn.fusion", "false");
  }

  /**
   * Fuses layers of a converted graph whose primitives do not exist yet.
   *
   * @param graph the graph, whose nodes' elements are replaced
   * @param separate names of convolutions that must not be fused with a sum
   */
  static void apply(Graph graph, Set<String> separate) {
    applyWithoutSums(graph);
    for (Node node : nodes(graph)) {
      fuseSum(node, separate);
      // A convolution fused with a sum also takes the ReLU after it.
      after(node).forEach(Fusion::fuseRelu);
    }
  }

  /** Fuses ReLUs only. */
  static void applyWithoutSums(Graph graph) {
    nodes(graph).forEach(Fusion::fuseRelu);
  }

  /**
   * Returns the convolutions whose sum would be wrong: BigDL adds to the other value as if it had the memory layout of the
   * convolution's input, which is known only once the primitives exist.
   *
   * @param graph a graph whose primitives exist
   */
  static Set<String> misplaced(Graph graph) {
    return summing(graph).filter(convolution -> {
      int layout = convolution.outputFormats()[0].layout();
      return convolution.inputFormats()[0].layout() != layout
          || convolution.sumOp().outputFormats()[0].layout() != layout;
    }).map(SpatialConvolution::getName).collect(Collectors.toSet());
  }

  /** Returns all convolutions fused with a sum. */
  static Set<String> sums(Graph graph) {
    return summing(graph).map(SpatialConvolution::getName).collect(Collectors.toSet());
  }

  private static Stream<SpatialConvolution> summing(Graph graph) {
    return nodes(graph).stream().filter(node -> node.element() instanceof SpatialConvolution convolution && convolution.sum())
        .map(node -> (SpatialConvolution) node.element());
  }

  private static void fuseRelu(Node node) {
    if (!(node.element() instanceof ReLU) || before(node).size() != 1) {
      return;
    }
    Node source = before(node).get(0);
    if (after(source).size() != 1) {
      return;
    }
    if (source.element() instanceof SpatialConvolution convolution && !convolution.relu()) {
      convolution.setReLU(true);
      replaceWithIdentity(node);
    } else if (source.element() instanceof SpatialBatchNormalization normalization && !normalization.relu()) {
      normalization.setReLU(true);
      replaceWithIdentity(node);
    }
  }

  /** Fuses `a + convolution(b)` into one step, which adds to the memory of a. */
  private static void fuseSum(Node node, Set<String> separate) {
    if (!(node.element() instanceof CAddTable) || before(node).size() != 2) {
      return;
    }
    for (int at = 0; at < 2; at++) {
      Node source = before(node).get(at);
      Node other = before(node).get(1 - at);
      if (source.element() instanceof SpatialConvolution convolution && !convolution.relu() && !convolution.sum()
          && !separate.contains(convolution.getName()) && after(source).size() == 1 && isFree(other, node, source)) {
        // The sum's node runs the convolution; its inputs are numbered from 1.
        convolution.setSumOp((AbstractModule) other.element(), 2 - at);
        replaceWithIdentity(source);
        node.element_$eq(convolution);
        return;
      }
    }
  }

  /**
   * Returns whether a value's memory may be overwritten: MKL-DNN owns it, and all its readers run before the convolution,
   * which therefore does not read it either.
   */
  private static boolean isFree(Node value, Node sum, Node convolution) {
    Node owner = value;
    while (owner.element() instanceof Identity && before(owner).size() == 1) {
      owner = before(owner).get(0);
    }
    Object element = owner.element();
    if (!(element instanceof SpatialConvolution || element instanceof SpatialBatchNormalization
        || element instanceof MaxPooling || element instanceof ReLU || element instanceof CAddTable)) {
      return false;
    }
    Set<Node> readers = new HashSet<>();
    addReaders(owner, readers);
    readers.remove(sum);
    return ancestors(convolution).containsAll(readers);
  }

  /** Adds the readers of a node's memory; an Identity passes on the same memory. */
  private static void addReaders(Node node, Set<Node> readers) {
    for (Node next : after(node)) {
      if (next.element() instanceof Identity) {
        addReaders(next, readers);
      } else {
        readers.add(next);
      }
    }
  }

  private static Set<Node> ancestors(Node node) {
    Set<Node> ancestors = new HashSet<>();
    Deque<Node> pending = new ArrayDeque<>(List.of(node));
    while (!pending.isEmpty()) {
      for (Node source : before(pending.pop())) {
        if (ancestors.add(source)) {
          pending.push(source);
        }
      }
    }
    return ancestors;
  }

  private static void replaceWithIdentity(Node node) {
    Identity identity = new Identity();
    identity.setName(((AbstractModule) node.element()).getName());
    identity.evaluate();
    node.element_$eq(identity);
  }

  private static List<Node> nodes(Graph graph) {
    return List.of((Node[]) graph.getSortedForwardExecutions());
  }

  /** Returns a node's inputs. */
  static List<Node> before(Node node) {
    return (List<Node>) JavaConverters.seqAsJavaListConverter(node.prevNodes()).asJava();
  }

  /** Returns a node's readers. */
  static List<Node> after(Node node) {
    return (List<Node>) JavaConverters.seqAsJavaListConverter(node.nextNodes()).asJava();
  }
}
