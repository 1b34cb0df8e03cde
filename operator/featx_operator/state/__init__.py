"""What the operator last saw of the cluster."""
