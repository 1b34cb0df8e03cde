"""Files about the repository itself agree with each other."""
