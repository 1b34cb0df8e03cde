"""The command line, without a run."""
