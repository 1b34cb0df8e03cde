"""`make bench WHAT=load`: the operator under load, at a real API server with a simulated kubelet."""
