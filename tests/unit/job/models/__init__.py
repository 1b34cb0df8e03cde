"""Fetching models, without a store."""
