"""Nets: from Caffe's files to the one network file that executors load.

`caffe` reads, `fold` simplifies, `detection` recognises an SSD's end, `bigdl` says what the engine can't run, and
`network_file` writes. Numpy and protobuf only: no Spark here, so the same graph can be given to any engine.
"""
