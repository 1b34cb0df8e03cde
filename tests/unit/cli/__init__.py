"""The command line, tested without runs."""
