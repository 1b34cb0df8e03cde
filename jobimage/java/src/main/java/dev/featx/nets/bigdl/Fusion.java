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
 * Lets convolutions do the ReLU and the sum that follow them, where that changes no result.
 *
 * <p>BigDL has a fusion of its own (nn.mkldnn.Fusion), which looks at one layer and the one before it only: it also fuses
 * where somebody else reads the value that is lost, and puts a ReLU that stood before a sum behind it. Wrong numbers, or a
 * crash, are the outcome, so it is turned off ({@link #turnOffBigDls}) and this is done instead.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Fusion {
  private Fusion() {}

  /** Turns BigDL's fusion off for this JVM. */
  static void turnOffBigDls() {
    System.setProperty("bigdl.mkldnn.fusion", "false");
  }

  /**
   * Fuses in a converted graph whose primitives do not exist yet.
   *
   * @param graph the graph; elements of its nodes are replaced
   * @param separate names of convolutions that must not take a sum
   */
  static void apply(Graph graph, Set<String> separate) {
    applyWithoutSums(graph);
    for (Node node : nodes(graph)) {
      fuseSum(node, separate);
      // A sum that became a convolution takes the ReLU behind it as well.
      after(node).forEach(Fusion::fuseRelu);
    }
  }

  /** Fuses ReLUs only. */
  static void applyWithoutSums(Graph graph) {
    nodes(graph).forEach(Fusion::fuseRelu);
  }

  /**
   * Returns the convolutions whose sum would go wrong: BigDL adds into the other value as if it lay in memory as the
   * convolution's input does, which is known only when the primitives are made.
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

  /** Returns all convolutions that took a sum. */
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
      becomeIdentity(node);
    } else if (source.element() instanceof SpatialBatchNormalization normalization && !normalization.relu()) {
      normalization.setReLU(true);
      becomeIdentity(node);
    }
  }

  /** Makes `a + convolution(b)` one step, which adds into the memory of a. */
  private static void fuseSum(Node node, Set<String> separate) {
    if (!(node.element() instanceof CAddTable) || before(node).size() != 2) {
      return;
    }
    for (int at = 0; at < 2; at++) {
      Node source = before(node).get(at);
      Node other = before(node).get(1 - at);
      if (source.element() instanceof SpatialConvolution convolution && !convolution.relu() && !convolution.sum()
          && !separate.contains(convolution.getName()) && after(source).size() == 1 && isFree(other, node, source)) {
        // The sum's node runs the convolution; it counts its inputs from 1.
        convolution.setSumOp((AbstractModule) other.element(), 2 - at);
        becomeIdentity(source);
        node.element_$eq(convolution);
        return;
      }
    }
  }

  /**
   * Returns whether the memory of a value may be written over: it is mkldnn's own, and whoever reads it is done before the
   * convolution, which therefore does not read it either.
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

  /** Adds who reads a node's memory; an Identity hands on the same memory. */
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
    Set<Node> found = new HashSet<>();
    Deque<Node> waiting = new ArrayDeque<>(List.of(node));
    while (!waiting.isEmpty()) {
      for (Node each : before(waiting.pop())) {
        if (found.add(each)) {
          waiting.push(each);
        }
      }
    }
    return found;
  }

  private static void becomeIdentity(Node node) {
    Identity identity = new Identity();
    identity.setName(((AbstractModule) node.element()).getName());
    identity.evaluate();
    node.element_$eq(identity);
  }

  private static List<Node> nodes(Graph graph) {
    return List.of((Node[]) graph.getSortedForwardExecutions());
  }

  /** Returns the nodes that a node reads. */
  static List<Node> before(Node node) {
    return (List<Node>) JavaConverters.seqAsJavaListConverter(node.prevNodes()).asJava();
  }

  /** Returns the nodes that read a node. */
  static List<Node> after(Node node) {
    return (List<Node>) JavaConverters.seqAsJavaListConverter(node.nextNodes()).asJava();
  }
}
