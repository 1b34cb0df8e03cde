"""One file a policy: pure functions from a `Run` to a `Plan`, or to None where the policy has nothing to say."""
