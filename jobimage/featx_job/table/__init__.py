"""The table that a run writes: its publishers, its files, and what earlier runs left."""
