"""The FeatureExtraction that a schedule creates."""

from __future__ import annotations

from datetime import datetime

from featx_api import API_VERSION, KIND
from featx_api.schedule import (
    SCHEDULE_KIND,
    SCHEDULE_LABEL,
    SCHEDULE_UID_LABEL,
    SCHEDULED_AT_ANNOTATION,
    FeatureExtractionSchedule,
)

from featx_operator.manifests import Manifest


def run(schedule: FeatureExtractionSchedule, name: str, due: datetime) -> Manifest:
    """A run of a schedule.

    Args:
        schedule: The schedule.
        name: Of the run.
        due: When the run was due.
    """
    template, metadata = schedule.spec.template, schedule.metadata
    spec = template.spec.to_wire()
    if schedule.spec.separate_outputs:
        spec["output"]["uri"] = f"{template.spec.output.uri.rstrip('/')}/{name}"
    labels = {
        "app.kubernetes.io/managed-by": "featx",
        SCHEDULE_LABEL: metadata["name"],
        SCHEDULE_UID_LABEL: metadata["uid"],
    }
    owner = {
        "apiVersion": API_VERSION,
        "kind": SCHEDULE_KIND,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": template.metadata.labels | labels,
            "annotations": template.metadata.annotations | {SCHEDULED_AT_ANNOTATION: f"{due:%Y-%m-%dT%H:%M:%SZ}"},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }
