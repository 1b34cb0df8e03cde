package dev.featx.nets;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What runs nets. Each makes a {@link CompiledNetwork} of a network file that was written for it. */
public enum Engine {
  /** BigDL's graph on MKL-DNN, which Featx builds layer by layer. */
  @JsonProperty("bigdl")
  BIGDL,
  /** OpenVINO's CPU plugin, which reads the net as ONNX. */
  @JsonProperty("openvino")
  OPENVINO
}
