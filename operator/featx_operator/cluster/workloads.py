"""Requests about Kueue: a run's Workload, the flavors it was assigned, and the classes that its priority comes from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from featx_api.contract import EXECUTOR
from featx_api.resource import FeatureExtraction

from featx_operator import kueue, pod_sets
from featx_operator.cluster.creation import RefusedError, refuse_replacement
from featx_operator.cluster.transport import APPLY, FIELD_MANAGER, MERGE, ApiError, ApiServer, serves
from featx_operator.decisions import reasons
from featx_operator.decisions.run import (
    CreateWorkload,
    DeleteWorkload,
    MoveWorkload,
    ReclaimExecutors,
    ReleaseQuota,
    ReportWorkload,
    WorkloadAction,
)
from featx_operator.objects import Body, Key
from featx_operator.settings import Settings
from featx_operator.state.observed import Refusal
from featx_operator.state.workload import Flavor, flavor_from

_CLASSES = {
    "WorkloadPriorityClass": f"/apis/{kueue.API_VERSION}/workloadpriorityclasses",
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
}


def are_served(api: ApiServer) -> bool:
    """Whether Kueue's CRDs are installed, in the version that is used."""
    return serves(api, kueue.API_VERSION, kueue.WORKLOADS)


def get(api: ApiServer, key: Key, uid: str) -> Body | None:
    """The Workload with the name of a resource's, or None."""
    return api.get(_path(key.namespace, kueue.workload_name(key.name, uid)))


def flavors(api: ApiServer, names: Iterable[str]) -> dict[str, Flavor]:
    """The ResourceFlavors of these names that exist."""
    bodies = {name: api.get(f"/apis/{kueue.API_VERSION}/resourceflavors/{name}") for name in names}
    return {name: flavor_from(body) for name, body in bodies.items() if body}


def act(api: ApiServer, resource: FeatureExtraction, action: WorkloadAction, settings: Settings) -> Body | None:
    """Carries an action out; returns the Workload as it is now, or None if there is none.

    Raises:
        RefusedError: The Workload can't be created now.
        ApiError: Anything else went wrong, or the Workload has changed meanwhile; retry.
    """
    if isinstance(action, CreateWorkload):
        return _create(api, resource, action, settings)
    path = _path(resource.metadata["namespace"], action.name)
    try:
        if isinstance(action, DeleteWorkload):
            return _delete(api, path, action)
        if isinstance(action, ReleaseQuota):
            return _release(api, path, action)
        if isinstance(action, MoveWorkload):
            return _move(api, path, action, resource)
        return _apply(api, path, action)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def _create(api: ApiServer, resource: FeatureExtraction, action: CreateWorkload, settings: Settings) -> Body:
    priority, class_ = _priority(api, resource, action.priority_class)
    pool = settings.allowed.pool(resource.spec.execution.node_pool)
    manifest = pod_sets.manifest(resource, settings.job_image, action.queue, priority, class_, pool)
    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    try:
        return api.request("POST", _path(namespace), {"fieldManager": FIELD_MANAGER}, manifest)
    except ApiError as error:
        if error.status in (400, 403, 422):
            raise RefusedError(Refusal(reasons.WORKLOAD_REFUSED, error.message)) from error
        if error.status in (500, 503, 504):
            raise RefusedError(Refusal(reasons.KUEUE_UNAVAILABLE, error.message)) from error
        if error.status != 409:
            raise
    existing = api.get(_path(namespace, name))
    if existing is None:
        raise ApiError(409, f"Workload {name} was deleted meanwhile")
    if refusal := refuse_replacement("Workload", existing, resource.metadata["uid"]):
        raise RefusedError(refusal)
    return existing


def _delete(api: ApiServer, path: str, action: DeleteWorkload) -> Body | None:
    response = api.delete(path, {"preconditions": {"uid": action.uid}})
    return response if response and response.get("kind") == "Workload" else None


def _move(api: ApiServer, path: str, action: MoveWorkload, resource: FeatureExtraction) -> Body:
    priority, class_ = _priority(api, resource, action.priority_class)
    spec = {"queueName": action.queue, "priority": priority, "priorityClassRef": class_}
    patch = {"metadata": {"uid": action.uid}, "spec": spec}
    return api.request("PATCH", path, {"fieldManager": FIELD_MANAGER}, patch, MERGE)


def _release(api: ApiServer, path: str, action: ReleaseQuota) -> Body:
    """Clears the admission in one step, as Kueue does for its own kinds. Kueue has to reserve quota again."""
    current = api.request("GET", path)
    conditions = {item["type"]: item for item in current["status"].get("conditions") or ()}
    for kind, status, reason, message in (
        ("QuotaReserved", "False", "Pending", action.message),
        ("Admitted", "False", "NoReservation", "The workload has no reservation"),
        ("PodsReady", "False", "WaitForStart", "the pods were stopped"),
        ("Requeued", "True" if action.requeued else "False", action.reason, action.message),
    ):
        if kind != "PodsReady" or kind in conditions:
            conditions[kind] = _condition(kind, status, reason, message, conditions.get(kind), current)
    metadata = {"uid": action.uid, "resourceVersion": current["metadata"]["resourceVersion"]}
    patch = {"metadata": metadata, "status": {"admission": None, "conditions": list(conditions.values())}}
    return api.request("PATCH", f"{path}/status", {"fieldManager": FIELD_MANAGER}, patch, MERGE)


def _apply(api: ApiServer, path: str, action: ReportWorkload | ReclaimExecutors) -> Body:
    """Applies one part of the status, each under its own manager: fields that a manager leaves out are deleted."""
    if isinstance(action, ReclaimExecutors):
        part, status = "reclaimable", {"reclaimablePods": [{"name": EXECUTOR, "count": action.count}]}
    else:
        part = action.kind.lower()
        status = {"conditions": [_condition(action.kind, action.status, action.reason, action.message)]}
    name = path.rsplit("/", 1)[1]
    applied = {
        "apiVersion": kueue.API_VERSION,
        "kind": "Workload",
        "metadata": {"name": name, "uid": action.uid},
        "status": status,
    }
    query = {"fieldManager": f"{FIELD_MANAGER}-{part}", "force": "true"}
    return api.request("PATCH", f"{path}/status", query, applied, APPLY)


def _condition(
    kind: str, status: str, reason: str, message: str, last: Body | None = None, workload: Body | None = None
) -> dict[str, object]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    generation = workload["metadata"].get("generation") if workload else None
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": last["lastTransitionTime"] if last and last["status"] == status else now,
        **({"observedGeneration": generation} if generation else {}),
    }


def _priority(api: ApiServer, resource: FeatureExtraction, workload_class: str) -> tuple[int, dict[str, str] | None]:
    """The priority of a run, and the class that it comes from: one of Kueue's, or that of its pods."""
    kind, name = "WorkloadPriorityClass", workload_class
    if not name:
        kind, name = "PriorityClass", resource.spec.priority_class_name or ""
    if not name:
        return 0, None
    body = api.get(f"{_CLASSES[kind]}/{name}")
    if body is None:
        field = "metadata.labels" if workload_class else "spec.priorityClassName"
        raise RefusedError(
            Refusal(reasons.WORKLOAD_REFUSED, f"{field}: {kind} {name} not found: create it or correct the name")
        )
    group = kueue.GROUP if workload_class else "scheduling.k8s.io"
    return int(body["value"]), {"group": group, "kind": kind, "name": name}


def _path(namespace: str, name: str = "") -> str:
    return f"/apis/{kueue.API_VERSION}/namespaces/{namespace}/{kueue.WORKLOADS}" + (f"/{name}" if name else "")
