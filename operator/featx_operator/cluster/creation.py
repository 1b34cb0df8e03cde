"""Create or adopt the children of an attempt, so that creating them twice is harmless.

Names are deterministic, so a second create fails because the name is taken. The object that has it is the run's own
(adopted), a child of a deleted run of the same name that is yet to be garbage-collected, or something foreign.
"""

from __future__ import annotations

from featx_api import KIND
from featx_api.resource import FeatureExtraction

from featx_operator import manifests
from featx_operator.cluster import children
from featx_operator.cluster.transport import ApiError, ApiServer
from featx_operator.decisions import reasons
from featx_operator.objects import Body
from featx_operator.state.observed import Refusal


class RefusedError(Exception):
    """The API server refused to create an object, or its name is taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def create_attempt(api: ApiServer, resource: FeatureExtraction, attempt: int, image: str) -> Body:
    """Creates or adopts an attempt's ConfigMap and driver pod; returns the pod.

    Raises:
        RefusedError: One of them can't be created now.
        ApiError: Anything else went wrong; retry.
    """
    _create_or_adopt(api, manifests.config_map(resource, attempt))
    return _create_or_adopt(api, manifests.driver_pod(resource, attempt, image))


def _create_or_adopt(api: ApiServer, manifest: Body) -> Body:
    metadata = manifest["metadata"]
    try:
        return children.create(api, manifest)
    except ApiError as error:
        if error.status in (403, 422):
            raise RefusedError(refusal_of(error)) from error
        if error.status != 409:
            raise
        existing = children.get(api, manifest["kind"], metadata["namespace"], metadata["name"])
        if existing is None:
            raise  # deleted in the meantime: the next try creates it
        if refusal := refuse_adoption(existing, metadata["ownerReferences"][0]["uid"]):
            raise RefusedError(refusal) from error
        return existing


def refusal_of(error: ApiError) -> Refusal:
    """The refusal that an API server's error amounts to."""
    # Exceeding a quota has no reason of its own in the API: it is Forbidden, like a missing permission.
    if error.status == 403 and "exceeded quota" in error.message:
        return Refusal(reasons.QUOTA_EXCEEDED, error.message)
    return Refusal(reasons.DRIVER_REFUSED, error.message)


def refuse_adoption(existing: Body, owner: str) -> Refusal | None:
    """Why an existing object can't be adopted by the resource with this uid, or None if it is the run's own."""
    metadata = existing["metadata"]
    controller = next((ref for ref in metadata.get("ownerReferences") or () if ref.get("controller")), None)
    if controller and controller["uid"] == owner:
        return None
    name = f"{existing.get('kind', 'object')} {metadata['name']}"
    if controller and controller["kind"] == KIND:
        return Refusal(reasons.PREVIOUS_RUN, f"{name} of a deleted run with this name is still being removed")
    return Refusal(
        reasons.NAME_TAKEN,
        f"{name} already exists and is not owned by this resource; delete it or rename the resource",
    )
