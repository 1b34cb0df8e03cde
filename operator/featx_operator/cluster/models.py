"""Requests about VisionModels and ClusterVisionModels, and the pods that check them."""

from __future__ import annotations

from featx_api import API_VERSION, GROUP, VERSION
from featx_api.contract import LABEL_ROLE, LABEL_UID
from featx_api.vision_model import CLUSTER_PLURAL, MODEL_ROLE, VISION_MODEL_PLURAL, VisionModelSpec

from featx_operator.cluster import children
from featx_operator.cluster.creation import check_secret_names, refused
from featx_operator.cluster.transport import APPLY, FIELD_MANAGER, ApiError, ApiServer, serves
from featx_operator.model_pods import model_pod, namespace_of
from featx_operator.objects import Body, Key, Owner
from featx_operator.settings import Settings, allowed_secrets
from featx_operator.state.models import kind_of, model_key, model_owner, reduced_model
from featx_operator.state.observed import Pod, reduced


def are_served(api: ApiServer) -> bool:
    """Whether the CRDs are installed."""
    return serves(api, API_VERSION, VISION_MODEL_PLURAL, CLUSTER_PLURAL)


def get(api: ApiServer, key: Key) -> Body | None:
    """What decisions need of the current version of a model, or None if it does not exist."""
    return api.get(f"{_path(key.namespace)}/{key.name}", reduce=reduced_model)


def apply_status(api: ApiServer, body: Body, status: Body) -> Body:
    """Applies a status (server-side, owning all of it) to exactly the version that it was computed from.

    Raises:
        ApiError: 409 if the model has changed since, 404 if it is gone.
    """
    key = model_key(body)
    applied = {
        "apiVersion": API_VERSION,
        "kind": kind_of(key),
        "metadata": {"name": key.name, "resourceVersion": body["metadata"]["resourceVersion"]},
        "status": status,
    }
    path, query = f"{_path(key.namespace)}/{key.name}/status", {"fieldManager": FIELD_MANAGER, "force": "true"}
    return api.request("PATCH", path, query, applied, APPLY, reduce=reduced_model)


def check_pods(api: ApiServer, namespace: str, owner: Owner) -> list[Pod]:
    """The pods with the labels of a model's, whoever has created them."""

    def reduce(body: Body) -> Pod:
        return reduced(body, MODEL_ROLE, 0)

    labels = {"labelSelector": f"{LABEL_UID}={owner.uid},{LABEL_ROLE}={MODEL_ROLE}"}
    return list(api.items(f"/api/v1/namespaces/{namespace}/pods", labels, reduce))


def check_pod(api: ApiServer, namespace: str, name: str) -> Pod | None:
    """The pod of this name, or None if there is none."""
    body = api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
    return reduced(body, MODEL_ROLE, 0) if body else None


def start_check(api: ApiServer, body: Body, settings: Settings) -> Pod | None:
    """Creates the pod that checks the current generation of a model.

    Returns:
        The pod, or None if another one has its name.

    Raises:
        RefusedError: It can't be created now.
        ApiError: Anything else went wrong; retry.
    """
    owner, spec = model_owner(body), VisionModelSpec.from_wire(body["spec"])
    namespace = namespace_of(owner, settings)
    fields = dict.fromkeys(spec.secret_names(), "spec.model.s3.secretRef.name")
    check_secret_names(api, namespace, fields, allowed_secrets(settings, namespace))
    allowed, generation = settings.allowed.allowed_in(namespace), int(body["metadata"].get("generation") or 0)
    try:
        return reduced(children.create(api, model_pod(owner, generation, spec, allowed, settings)), MODEL_ROLE, 0)
    except ApiError as error:
        if error.status == 409:
            return None
        raise refused(error) from error


def delete_check(api: ApiServer, namespace: str, name: str, uid: str) -> None:
    """Deletes a pod if it has this uid."""
    children.delete(api, "Pod", namespace, name, uid)


def _path(namespace: str) -> str:
    if not namespace:
        return f"/apis/{GROUP}/{VERSION}/{CLUSTER_PLURAL}"
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{VISION_MODEL_PLURAL}"
