"""Stands where the real job's package stands, so that the operator starts it in the very same way."""
