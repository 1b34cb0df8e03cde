"""Reading and preparing nets, without an engine."""
