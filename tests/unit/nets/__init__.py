"""Reading and preparing nets, tested without an engine."""
