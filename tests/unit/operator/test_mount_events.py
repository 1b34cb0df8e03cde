"""Events about a driver's volumes are read, but anybody may have written them: none ends a run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from featx_operator.cluster.transport import PAGE
from featx_operator.decisions.policies.start import reported_secret
from featx_operator.state.observed import Pod, PodWaiting

from tests.unit.operator.api_server import CORE_EVENTS, SECRETS, FakeApiServer
from tests.unit.operator.operator_process import DRIVER, START, Operator

MOUNT = 'MountVolume.SetUp failed for volume "secret-0" : '


def pending(api: FakeApiServer) -> Operator:
    """An operator whose driver is on a node and can't mount its volumes."""
    operator = Operator(api)
    operator.reconcile()
    waiting = {"name": "driver", "state": {"waiting": {"reason": "ContainerCreating"}}}
    scheduled = {"type": "PodScheduled", "status": "True"}
    api.objects[DRIVER]["status"] = {"phase": "Pending", "conditions": [scheduled], "containerStatuses": [waiting]}
    operator.catch_up()
    return operator


def event(api: FakeApiServer, message: str, name: str = "a", component: str = "kubelet", seconds: float = 60) -> None:
    """Writes an Event about the driver, as the kubelet does."""
    body: dict[str, Any] = {
        "metadata": {"name": name},
        "involvedObject": {"uid": api.objects[DRIVER]["metadata"]["uid"]},
        "reason": "FailedMount",
        "message": message,
        "source": {"component": component},
        "lastTimestamp": (START + timedelta(seconds=seconds)).isoformat(),
    }
    api.put(f"{CORE_EVENTS}/{name}", body)


@pytest.mark.parametrize("secret", ["store", "of-nobody", "catalog-u-1-1-authentication"])
def test_an_event_in_the_kubelets_name_ends_no_run(api: FakeApiServer, secret: str) -> None:
    operator = pending(api)
    event(api, f'{MOUNT}secret "{secret}" not found')
    for _ in range(10):
        operator.advance(60)
        operator.reconcile()
    assert operator.state("Succeeded") == ("Unknown", "Starting")
    assert operator.state("DriverReady") == ("False", "Starting")
    assert f'secret "{secret}" not found' in operator.condition("DriverReady")["message"]
    assert DRIVER in api.objects


def test_a_secret_of_the_run_that_is_gone_fails_it_after_the_grace_period(api: FakeApiServer) -> None:
    operator = pending(api)
    del api.objects[f"{SECRETS}/store"]
    event(api, f'{MOUNT}secret "store" not found')
    operator.advance(29)
    operator.reconcile()
    assert operator.state("Succeeded")[0] == "Unknown"
    assert operator.state("DriverReady") == ("False", "SecretNotFound")
    operator.advance(1)
    operator.reconcile()
    assert operator.state("Succeeded") == ("False", "SecretNotFound")


def test_a_secret_that_only_the_api_server_misses_fails_no_run(api: FakeApiServer) -> None:
    operator = pending(api)
    del api.objects[f"{SECRETS}/store"]  # the kubelet has mounted it already
    operator.advance(60)
    operator.reconcile()
    assert operator.state("Succeeded")[0] == "Unknown"


def test_events_of_others_are_not_read(api: FakeApiServer) -> None:
    operator = pending(api)
    event(api, "call this number", component="helpdesk")
    operator.advance(60)
    operator.reconcile()
    assert operator.condition("DriverReady")["message"] == ""


def test_one_page_of_events_is_read_however_many_there_are(api: FakeApiServer) -> None:
    operator = pending(api)
    for number in range(1000):
        event(api, f"failure {number}", name=f"event-{number}", seconds=number)
    sent = len(api.sent)
    operator.advance(60)
    operator.reconcile()
    read = [response for response in api.sent[sent:] if "FailedMount" in response]
    assert [response.count("FailedMount") for response in read] == [PAGE]
    assert operator.condition("DriverReady")["message"] == f"failure {PAGE - 1}"


@pytest.mark.parametrize("name", ["../pods/catalog-1-driver", "store?watch=1", "Store", "", "a/b", "-", "%2e%2e"])
def test_nothing_but_a_name_is_looked_up(name: str) -> None:
    waiting = PodWaiting("FailedMount", f'{MOUNT}secret "{name}" not found')
    assert reported_secret(Pod("a", "b", 1, "driver"), waiting) is None
