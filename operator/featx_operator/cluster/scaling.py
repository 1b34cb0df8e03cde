"""How a driver learns how many executors to have: an annotation of its pod, the operator's only change to pods."""

from __future__ import annotations

from featx_api.contract import EXECUTORS_ANNOTATION

from featx_operator.cluster.creation import refused
from featx_operator.cluster.transport import FIELD_MANAGER, MERGE, ApiError, ApiServer
from featx_operator.decisions.run import ScaleExecutors
from featx_operator.objects import Body


def scale(api: ApiServer, namespace: str, action: ScaleExecutors) -> Body | None:
    """Annotates a driver; returns the pod, or None if it is gone.

    Raises:
        RefusedError: The API server does not let the operator change it.
        ApiError: Anything else went wrong; retry.
    """
    # The uid, which can't change, makes it fail on another pod of that name.
    metadata = {"uid": action.uid, "annotations": {EXECUTORS_ANNOTATION: str(action.count)}}
    path = f"/api/v1/namespaces/{namespace}/pods/{action.name}"
    try:
        return api.request("PATCH", path, {"fieldManager": FIELD_MANAGER}, {"metadata": metadata}, MERGE)
    except ApiError as error:
        if error.status in (404, 409):
            return None
        raise refused(error) from error
