"""Tests with real servers and engines on this machine: S3, Spark, BigDL."""
