"""The requests that the operator makes to the API server."""
