"""Has the real job's package name, so that the operator starts it in the same way."""
