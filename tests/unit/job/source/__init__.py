"""Sources: what a run reads, and how it is divided into shards."""
