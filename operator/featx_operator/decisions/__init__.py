"""What to do next. Pure: no I/O, and the clock is an argument."""
