"""Spark's settings, tested without Spark."""
