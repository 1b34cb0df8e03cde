"""Runs shards on Spark: its settings, its session, and the memory that executors need."""
