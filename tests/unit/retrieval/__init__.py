"""Unit tests of featx_retrieval."""
