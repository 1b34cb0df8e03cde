"""Programs of this repository's maintainers, which `make generate` runs."""
