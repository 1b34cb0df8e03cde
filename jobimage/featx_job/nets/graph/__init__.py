"""A net as a graph of operations: what readers produce and engines run."""
