"""Where a run's models come from."""
