"""Works on the tables that runs write: similarity search, near-duplicates, and fitting of hash layers."""
