"""Every request that the operator sends to the API server, and no other."""
