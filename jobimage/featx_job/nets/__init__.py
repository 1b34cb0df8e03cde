"""Nets: from a model's files to the one network file that executors load.

`caffe` and `onnx` read a model into the same graph, `graph.fold` simplifies it, `ssd` recognises an SSD's end, `bigdl`
rejects what that engine can't run, and `network_file` writes. Nothing here imports Spark, so any engine can be given
the same graph.
"""
