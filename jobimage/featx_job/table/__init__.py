"""The table that a run writes: its log, its files, and what earlier runs left."""
