"""`python -m featx_operator.check`: checks an installed operator from a pod of its own, for `helm test`.

An active operator renews its Lease only while it reaches the API server; the kubelet's probe, which shows in the
Deployment, proves that its queue makes progress.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from featx_operator.cluster import leases, resources
from featx_operator.cluster.transport import ApiServer
from featx_operator.settings import Settings, from_environment
from featx_operator.state.words import time_of


def problems(api: ApiServer, settings: Settings, now: datetime) -> Iterator[str]:
    """Yields what keeps the operator from working, each with the way out.

    Args:
        api: The API server.
        settings: The operator's.
        now: The time, in UTC.

    Raises:
        ApiError: The API server does not answer.
    """
    namespace = settings.lease_namespace
    if not resources.are_served(api):
        yield "the CRD featureextractions.featx.dev is not installed: install the chart featx-crds"
    lease = leases.get(api, namespace, settings.lease_name)
    spec = lease["spec"] if lease else {}
    renewed = time_of(spec.get("renewTime"))
    if not spec.get("holderIdentity") or renewed is None:
        yield f"no operator holds the Lease {settings.lease_name}: look at the log of deployment/featx-operator"
    elif (age := (now - renewed).total_seconds()) > 2 * settings.lease_seconds:
        yield f"{spec['holderIdentity']} has not renewed its Lease for {age:.0f} s: look at its log"
    deployment = api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/featx-operator")
    wanted = deployment["spec"]["replicas"] if deployment else 1
    available = ((deployment or {}).get("status") or {}).get("availableReplicas", 0)
    if available < wanted:
        yield f"{available} of {wanted} operator pods are available: kubectl describe pods --namespace {namespace}"


def main() -> int:
    """Prints the problems; returns the exit code."""
    settings = from_environment()
    found = list(problems(ApiServer(settings.request_seconds), settings, datetime.now(UTC)))
    for problem in found:
        print(f"error: {problem}")
    if not found:
        print("the CRD is served, and an operator is active")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
