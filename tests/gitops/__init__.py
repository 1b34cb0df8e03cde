"""What Argo CD and Flux make of Featx's resources, by their own code."""
