"""The job's decisions, without Spark or a store."""
