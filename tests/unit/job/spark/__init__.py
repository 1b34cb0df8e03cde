"""Spark's settings, without Spark."""
