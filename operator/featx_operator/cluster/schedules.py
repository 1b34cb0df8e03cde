"""Requests about FeatureExtractionSchedules and the runs that they control."""

from __future__ import annotations

from collections.abc import Iterator

from featx_api import API_VERSION, GROUP, PLURAL, VERSION
from featx_api.schedule import SCHEDULE_KIND, SCHEDULE_PLURAL, SCHEDULE_UID_LABEL

from featx_operator.cluster.transport import APPLY, FIELD_MANAGER, ApiError, ApiServer, serves
from featx_operator.decisions import reasons
from featx_operator.objects import Body, Key, Owner, key_of
from featx_operator.state.observed import Refusal
from featx_operator.state.scheduled import ScheduledRun, is_run_of, reduced_schedule, scheduled_run_from


def are_served(api: ApiServer) -> bool:
    """Whether the CRD is installed."""
    return serves(api, API_VERSION, SCHEDULE_PLURAL)


def get(api: ApiServer, key: Key) -> Body | None:
    """What decisions need of the current version of a schedule, or None if it does not exist."""
    return api.get(f"{_path(key.namespace)}/{key.name}", reduce=reduced_schedule)


def runs(api: ApiServer, schedule: Owner) -> Iterator[ScheduledRun]:
    """Yields the runs of a schedule."""

    def reduce(body: Body) -> ScheduledRun | None:
        return scheduled_run_from(body, schedule.key.name) if is_run_of(body, schedule) else None

    labels = {"labelSelector": f"{SCHEDULE_UID_LABEL}={schedule.uid}"}
    return filter(None, api.items(_runs_path(schedule.key.namespace), labels, reduce))


def create_run(api: ApiServer, manifest: Body, schedule: Owner) -> Body | Refusal:
    """Creates a run, once.

    Returns:
        The run, which may exist already; or why it can't be created now.

    Raises:
        ApiError: Anything else went wrong; retry.
    """
    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    try:
        return api.request("POST", _runs_path(namespace), {"fieldManager": FIELD_MANAGER}, manifest)
    except ApiError as error:
        if error.status in (403, 422):
            return Refusal(reasons.QUOTA_EXCEEDED if error.over_quota else reasons.RUN_REFUSED, error.message)
        if error.status != 409:
            raise
    existing = api.get(f"{_runs_path(namespace)}/{name}")
    if existing is not None and is_run_of(existing, schedule):
        return existing
    text = "already exists and is not controlled by this schedule; delete it or rename the schedule"
    return Refusal(reasons.NAME_TAKEN, f"FeatureExtraction {name} {text}")


def delete_run(api: ApiServer, namespace: str, name: str, uid: str) -> None:
    """Deletes a run if it has this uid; the garbage collector deletes what it owns."""
    options = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
    api.delete(f"{_runs_path(namespace)}/{name}", options)


def apply_status(api: ApiServer, body: Body, status: Body) -> Body:
    """Applies a status (server-side, owning all of it) to exactly the version that it was computed from.

    Raises:
        ApiError: 409 if the schedule has changed since, 404 if it is gone.
    """
    key = key_of(body)
    applied = {
        "apiVersion": API_VERSION,
        "kind": SCHEDULE_KIND,
        "metadata": {"name": key.name, "resourceVersion": body["metadata"]["resourceVersion"]},
        "status": status,
    }
    path, query = f"{_path(key.namespace)}/{key.name}/status", {"fieldManager": FIELD_MANAGER, "force": "true"}
    return api.request("PATCH", path, query, applied, APPLY, reduce=reduced_schedule)


def _path(namespace: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{SCHEDULE_PLURAL}"


def _runs_path(namespace: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"
