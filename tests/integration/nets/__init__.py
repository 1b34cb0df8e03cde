"""Nets on the executors' engine, compared with OpenCV's Caffe importer."""
