"""Featx's tests: a regular package, so that no `tests` folder of an installed distribution can stand in for it."""
