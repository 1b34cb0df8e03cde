"""Requests about Events: ours about a resource, and the kubelet's about a pod."""

from __future__ import annotations

from datetime import UTC, datetime

from featx_api import API_VERSION, GROUP, KIND

from featx_operator.cluster.transport import FIELD_MANAGER, ApiServer
from featx_operator.decisions.events import Event
from featx_operator.objects import Body
from featx_operator.state.observed import PodWaiting, waiting_from
from featx_operator.state.words import EPOCH, time_of


def create(
    api: ApiServer, body: Body, event: Event, identity: str, at: datetime | None = None, kind: str = KIND
) -> None:
    """Creates an Event about a resource.

    Args:
        api: The API server.
        body: The resource.
        event: The Event.
        identity: The replica that reports it.
        at: When it happened, if not now.
        kind: Of the resource.

    Raises:
        ApiError: The Event is refused.
    """
    now = at or datetime.now(UTC)
    metadata = body["metadata"]
    regarding = {
        "apiVersion": API_VERSION,
        "kind": kind,
        **{key: metadata[key] for key in ("namespace", "name", "uid", "resourceVersion")},
    }
    manifest = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{now.timestamp() * 1e6:.0f}-{event.reason.lower()}"},
        "eventTime": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "type": event.type,
        "reason": event.reason,
        "note": event.note,
        "action": event.reason,
        "regarding": regarding,
        "reportingController": f"{GROUP}/{FIELD_MANAGER}",
        "reportingInstance": identity,
    }
    api.request("POST", f"/apis/events.k8s.io/v1/namespaces/{metadata['namespace']}/events", {}, manifest)


def mount_failure(api: ApiServer, namespace: str, pod_uid: str) -> PodWaiting | None:
    """The latest report about volumes of a pod that can't be mounted, or None: a message, and proof of nothing.

    Whoever may create Events may write any number of them in the kubelet's name. So one page is read, and what it says
    is checked before it counts (`featx_operator.decisions.policies.start`).
    """
    selector = f"involvedObject.uid={pod_uid},reason=FailedMount,source=kubelet"
    reports, _ = api.page(f"/api/v1/namespaces/{namespace}/events", {"fieldSelector": selector}, _report)
    return max(reports, key=lambda report: report.at or EPOCH, default=None)


def _report(event: Body) -> PodWaiting:
    at = time_of(event.get("lastTimestamp") or event.get("eventTime"))
    return waiting_from("FailedMount", event.get("message") or "", at)
