"""A net as a graph of operations, produced by readers and run by engines."""
