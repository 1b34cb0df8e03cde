"""What to do next with a run. Pure: no I/O, and the clock is an argument."""
