"""Print a generated file: `python -m featx_api NAME`, with a name of `RENDERERS`.

`make generate` writes them all to their places in the tree.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from featx_api import crd, docs, java

RENDERERS: dict[str, Callable[[], str]] = {
    "crd": crd.render,
    "schedule-crd": partial(crd.render, crd.SCHEDULE),
    "model-crd": partial(crd.render, crd.MODEL),
    "cluster-model-crd": partial(crd.render, crd.CLUSTER_MODEL),
    "resource": docs.resource,
    "schedule": docs.schedule,
    "model": docs.model,
    "failures": docs.failures,
    "states": docs.states,
    "spark-conf": docs.spark_conf,
    "FailureClass.java": java.failure_class,
    "QuarantineReason.java": java.quarantine_reason,
    "ImageFormat.java": java.image_format,
    "HiddenFiles.java": java.hidden_files,
}

if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "crd"
    if name not in RENDERERS:
        sys.exit(f"{name}: must be one of {', '.join(RENDERERS)}")
    sys.stdout.write(RENDERERS[name]())
