"""Sources: where a run's images are, and how they are divided into shards."""
