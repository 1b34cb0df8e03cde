"""One policy per file: pure functions from a `Run` to a `Plan`, or to None if the policy does not apply."""
