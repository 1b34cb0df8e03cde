"""Reads and writes models in the ONNX format."""
