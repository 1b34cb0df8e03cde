"""What is done with the tables that runs write: search, near-duplicates, and the fit of bits."""
