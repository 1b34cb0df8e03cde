package dev.featx.nets;

import com.fasterxml.jackson.annotation.JsonProperty;

/** Engines that run nets. Each compiles network files written for it to a {@link CompiledNetwork}. */
public enum Engine {
  /** BigDL's graph on MKL-DNN, which Featx builds layer by layer. */
  @JsonProperty("bigdl")
  BIGDL,
  /** OpenVINO's CPU plugin, which reads the net as ONNX. */
  @JsonProperty("openvino")
  OPENVINO
}
