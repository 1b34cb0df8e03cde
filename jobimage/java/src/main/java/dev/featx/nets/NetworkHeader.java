package dev.featx.nets;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The header of a network file (crds/featx_api/network_header.py).
 *
 * @param name the net's own name, which may be empty
 * @param input the net's input
 * @param outputs names of the layers whose outputs are the net's
 * @param outputShapes shape of each output, without the batch axis
 * @param ownOutputs number of outputs that are the net's own; null for all
 * @param onnx the net in ONNX, or null
 * @param layers in execution order, or null
 * @param ranges lowest and highest output of layers, or null
 * @param detection the detection stage of an SSD, or null
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record NetworkHeader(String name, Input input, List<String> outputs, List<int[]> outputShapes, Integer ownOutputs, OnnxModel onnx,
    List<Layer> layers, Map<String, float[]> ranges, SingleShot detection) {
  NetworkHeader {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(input, "input");
    Objects.requireNonNull(outputs, "outputs");
    Objects.requireNonNull(outputShapes, "outputShapes");
    if ((onnx == null) == (layers == null)) {
      throw new IllegalArgumentException("a net must have either layers or an ONNX model");
    }
  }

  /**
   * The net's input.
   *
   * @param name to which layers refer
   * @param shape channels, height, width
   */
  record Input(String name, int[] shape) {}

  /**
   * An ONNX model stored among the weights.
   *
   * @param offset in bytes, from the start of the weights
   * @param length in bytes
   */
  record OnnxModel(int offset, int length) {}

  /**
   * The detection stage of an SSD.
   *
   * @param classes number of classes
   * @param background the background class; -1 for none
   * @param nmsThreshold boxes of a class that overlap more are duplicates
   * @param topK maximum boxes per class
   * @param keepTopK maximum boxes per image
   * @param confidenceThreshold the net's own, replaced by that of the run
   * @param varianceInTarget whether the net's outputs are scaled already
   * @param scores function from confidences to scores
   * @param priors the prior boxes
   * @param variances scale of the outputs
   */
  record SingleShot(int classes, int background, float nmsThreshold, int topK, int keepTopK, float confidenceThreshold,
      boolean varianceInTarget, String scores, Layer.Array priors, Layer.Array variances) {}
}
