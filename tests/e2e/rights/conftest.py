"""The namespaces, and holders of a driver's token in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.polling import eventually
from tests.e2e.rights.cluster import (
    CLOUD_ACCOUNT,
    CRD,
    EMPTY,
    GUARDED,
    NAMESPACES,
    OPEN,
    PROGRESS,
    RELEASE,
    RUN,
    VALUES,
    Requester,
    account,
    bound_token,
    chart,
    create,
    driver,
    executor,
    kubectl,
    resource,
)

POLICIES = ("policy-executors", "policy-changes", "policy-mounts", "policy-pods", "policy-operator")
NO_UID = "00000000-no-resource"


@pytest.fixture(scope="session", autouse=True)
def cluster() -> Iterator[None]:
    """Two namespaces with the chart's rights and policies, and one without policies; each with a run and its driver."""
    kubectl("apply", f"--filename={CRD}")
    kubectl("wait", "--for=condition=Established", "crd/featureextractions.featx.dev", "--timeout=30s")
    kubectl(
        "delete", "namespace", *NAMESPACES, EMPTY, RELEASE, "--ignore-not-found", "--timeout=60s"
    )  # of an earlier session
    for name in (*NAMESPACES, EMPTY, RELEASE):
        create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    create(chart(VALUES, "job-access", "operator-access", "network", *POLICIES))
    create(chart({"namespaces": [OPEN]}, "job-access"))
    for name in NAMESPACES:
        create(account(name, "default"), account(name, "other"), account(name, CLOUD_ACCOUNT))
        for run in (RUN, "other"):
            create(resource(name, run), driver(name, f"{run}-1-driver"))
    yield
    kubectl("delete", "--filename=-", "--ignore-not-found", "--wait=false", stdin=chart(VALUES, *POLICIES))
    kubectl("delete", "namespace", *NAMESPACES, EMPTY, RELEASE, "--wait=false")


@pytest.fixture(scope="session")
def requester(cluster: None) -> Callable[[str], Requester]:
    """Holders of the token of the run's driver, by namespace; waits until the policies are in force."""
    holders = {name: Requester(name, bound_token(name, f"{RUN}-1-driver")) for name in NAMESPACES}
    thief = holders[GUARDED]
    no_shape, no_resource = executor(GUARDED), executor(GUARDED, run_uid=NO_UID)
    no_shape["spec"]["hostPID"] = True
    eventually(lambda: "featx-executors" in thief.create(no_shape).text, "policy-executors in force")
    eventually(lambda: "featx-mounts" in thief.create(no_resource).text, "policy-mounts in force")
    eventually(lambda: "featx-changes" in thief.patch("other-1-driver", PROGRESS).text, "policy-changes in force")
    forged = ("annotate", "pod", "other-1-driver", "--dry-run=server", "--overwrite", "featx.dev/progress={}")
    eventually(
        lambda: "featx-pods" in kubectl(*forged, f"--namespace={GUARDED}", check=False).stderr, "policy-pods in force"
    )
    label = {"metadata": {"labels": {"a": "b"}}}
    itself = Requester(GUARDED, kubectl("create", "token", "featx-operator", f"--namespace={RELEASE}").stdout.strip())
    eventually(lambda: "featx-operator" in itself.patch("other-1-driver", label).text, "policy-operator in force")
    eventually(lambda: thief.create(executor(GUARDED)).accepted, "a good executor")
    return holders.__getitem__


@pytest.fixture
def thief(requester: Callable[[str], Requester]) -> Requester:
    """Somebody with the token of the driver in the guarded namespace."""
    return requester(GUARDED)
