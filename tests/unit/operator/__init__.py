"""Unit tests of the operator: decisions against a world without a cluster, time by hand."""
