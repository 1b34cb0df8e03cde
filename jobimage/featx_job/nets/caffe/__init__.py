"""Reads models in the Caffe format."""
