"""Featx as its users meet it: on a real node, with real images."""
