"""Prints the CRD: `python -m featx_api > crds/featureextractions.featx.dev.yaml` is what `make generate` does."""

from __future__ import annotations

import sys

from featx_api.crd import render

if __name__ == "__main__":
    sys.stdout.write(render())
