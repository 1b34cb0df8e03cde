"""The table that a run writes."""
