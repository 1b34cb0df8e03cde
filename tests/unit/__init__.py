"""Tests without a server: pure decisions, parsers, files in temporary folders."""
