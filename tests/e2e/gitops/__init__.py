"""A real Argo CD syncs a git repository to the node: `python -m tests.e2e tests/e2e/gitops`."""
