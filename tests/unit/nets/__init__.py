"""The importer, without an engine."""
