"""Neural networks: from model files to the one network file that executors load.

`caffe` and `onnx` read a model into a `graph`, `ssd` separates a detector's end, `bigdl` rewrites what that engine
can't run, and `network_file` writes the result; `prepare` does all of it. Nothing here depends on Spark, so that every
engine is built from the same graph.
"""
