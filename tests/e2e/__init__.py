"""End-to-end tests: Featx on a real node, with real images."""
