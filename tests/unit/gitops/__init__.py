"""Tests of what Argo CD and Flux make of Featx's resources."""
