"""Benchmarks for the documentation; they do not affect whether tests pass."""
