"""Create or adopt: what an attempt needs, made once however often it is asked for.

Names are deterministic, so a second create finds the name taken. What has it is either this run's own (adopted), a
child of a deleted run of the same name that the garbage collector has not reached yet, or somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from featx_api import KIND
from featx_api.resource import FeatureExtraction

from featx_operator import manifests
from featx_operator.cluster.client import ApiError, Body, Cluster
from featx_operator.decisions import reasons
from featx_operator.state.observed import Refusal


class RefusedError(Exception):
    """The API server will not have it; the refusal says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def create_attempt(cluster: Cluster, resource: FeatureExtraction, attempt: int, image: str) -> Body:
    """Creates or adopts an attempt's ConfigMap and driver pod; returns the pod.

    Raises:
        RefusedError: if one of them can't be had now.
        ApiError: for all else that went wrong; to be tried again.
    """
    _have(cluster.create, cluster.config_map, manifests.config_map(resource, attempt))
    return _have(cluster.create, cluster.pod, manifests.driver_pod(resource, attempt, image))


def _have(create: Callable[[Body], Body], find: Callable[[str, str], Body | None], manifest: Body) -> Body:
    metadata = manifest["metadata"]
    try:
        return create(manifest)
    except ApiError as error:
        if error.status in (403, 422):
            raise RefusedError(refusal_of(error)) from error
        if error.status != 409:
            raise
        present = find(metadata["namespace"], metadata["name"])
        if present is None:
            raise  # gone in between: the next try creates it
        if refusal := foreign(present, metadata["ownerReferences"][0]["uid"]):
            raise RefusedError(refusal) from error
        return present


def refusal_of(error: ApiError) -> Refusal:
    """Returns why the API server refused a create."""
    if error.status == 403 and "exceeded quota" in error.message:
        return Refusal(reasons.QUOTA_EXCEEDED, error.message)
    return Refusal(reasons.DRIVER_REFUSED, error.message)


def foreign(present: dict[str, Any], owner_uid: str) -> Refusal | None:
    """Returns why something that exists can't be adopted, or None if it is the run's own."""
    metadata = present["metadata"]
    owner = next((item for item in metadata.get("ownerReferences") or () if item.get("controller")), None)
    if owner and owner["uid"] == owner_uid:
        return None
    what = f"{present.get('kind', 'object')} {metadata['name']}"
    if owner and owner["kind"] == KIND:
        return Refusal(reasons.PREVIOUS_RUN, f"{what} of a deleted run of this name is still being removed")
    return Refusal(reasons.NAME_TAKEN, f"{what} exists and is not this run's: delete it, or rename the run")
