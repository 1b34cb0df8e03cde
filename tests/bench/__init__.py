"""Numbers for the documents: not part of the tests' pass or fail."""
