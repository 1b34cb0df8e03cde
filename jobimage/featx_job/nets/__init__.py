"""Nets: from Caffe's files to the one network file that executors load.

`caffe` reads, `fold` simplifies, `detection` recognises an SSD's end, `network_file` writes. Numpy and protobuf only: no
Spark and no BigDL here, so the same graph can be given to any engine.
"""
