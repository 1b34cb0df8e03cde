"""A resource whose reconcile fails says so itself, and recovers."""

from __future__ import annotations

from typing import Any

import pytest
from featx_operator import reconcile
from featx_operator.cluster.transport import ApiError

from tests.unit.operator.api_server import PODS, FakeApiServer
from tests.unit.operator.operator_process import DRIVER, RESOURCE, Operator

STATUS = f"{RESOURCE}/status"


class PoisonedError(Exception):
    """An error whose text holds data."""


def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(*_: Any) -> None:
        raise PoisonedError("the value of a Secret")

    monkeypatch.setattr(reconcile, "plan", poisoned)


def fail(operator: Operator, error: type[Exception], times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(error):
            operator.reconcile()


def test_one_failure_is_not_reported_and_the_second_is(api: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = Operator(api)
    poison(monkeypatch)
    fail(operator, PoisonedError)
    assert operator.state("Stalled") == ("", "")
    fail(operator, PoisonedError)
    assert operator.state("Stalled") == ("True", "InternalError")
    message = operator.condition("Stalled")["message"]
    assert "PoisonedError" in message and "Secret" not in message and "\n" not in message


def test_the_report_is_written_once_and_leaves_the_rest_of_the_status(
    api: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = Operator(api)
    operator.reconcile()
    before = operator.status
    poison(monkeypatch)
    fail(operator, PoisonedError, times=2)
    written = len(api.requests)
    fail(operator, PoisonedError, times=5)
    assert len(api.requests) == written
    assert operator.status["state"] == "InternalError"
    assert {key: value for key, value in operator.status.items() if key not in ("conditions", "state")} == {
        key: value for key, value in before.items() if key not in ("conditions", "state")
    }
    assert {item["type"] for item in operator.status["conditions"]} == {item["type"] for item in before["conditions"]}


def test_the_next_success_clears_the_report(api: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = Operator(api)
    with monkeypatch.context() as poisoned:
        poison(poisoned)
        fail(operator, PoisonedError, times=3)
    operator.reconcile()
    assert operator.state("Stalled") == ("False", "AsExpected")
    assert operator.status["state"] == "Pending"
    assert operator.status["driver"]["podName"] == "catalog-1-driver"


@pytest.mark.parametrize("exit_code", [0, 2])
def test_a_finished_run_gets_back_what_it_reported(
    api: FakeApiServer, monkeypatch: pytest.MonkeyPatch, exit_code: int
) -> None:
    operator = Operator(api)
    operator.reconcile()
    table = '{"uri": "s3://features/table", "kind": "features", "format": "delta", "recordCount": 1, "bytes": 1}'
    message = "" if exit_code else f'{{"result": "Succeeded", "outputs": [{table}]}}'
    state = {"terminated": {"exitCode": exit_code, "message": message}}
    phase = "Failed" if exit_code else "Succeeded"
    api.objects[DRIVER]["status"] = {"phase": phase, "containerStatuses": [{"name": "driver", "state": state}]}
    operator.catch_up()
    operator.reconcile()
    before = operator.condition("Stalled")
    assert before["status"] == ("True" if exit_code else "False")
    body = api.objects[RESOURCE]
    changed = api.put(RESOURCE, {**body, "metadata": {**body["metadata"], "generation": 2}})
    operator.watch({**changed, "kind": "FeatureExtraction"})
    with monkeypatch.context() as poisoned:
        poison(poisoned)
        fail(operator, PoisonedError, times=2)
    assert operator.reason("Stalled") == "InternalError"
    operator.reconcile()
    after = operator.condition("Stalled")
    assert [after[key] for key in ("status", "reason", "message")] == [
        before[key] for key in ("status", "reason", "message")
    ]


def test_a_status_that_the_api_server_refuses_is_reported(api: FakeApiServer) -> None:
    operator = Operator(api)
    for _ in range(2):
        api.refusals["PATCH", STATUS] = ApiError(422, "status.failure.message: Too long: the value of a Secret")
        fail(operator, ApiError)
    assert operator.state("Stalled") == ("True", "InternalError")
    assert "ApiError 422" in operator.condition("Stalled")["message"]
    assert "Too long" not in operator.condition("Stalled")["message"]


def test_a_status_that_the_models_reject_is_reported(api: FakeApiServer) -> None:
    api.objects[RESOURCE]["status"] = {"attempt": -1, "conditions": [{"type": "Stalled", "status": "Perhaps"}]}
    operator = Operator(api)
    fail(operator, ValueError, times=2)
    assert operator.state("Stalled") == ("True", "InternalError")


def test_a_report_that_fails_too_hides_no_error(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    del api.objects[DRIVER]
    operator.catch_up()
    for _ in range(4):
        api.refusals["GET", DRIVER] = ApiError(500, "etcd is unavailable")
        api.refusals["PATCH", STATUS] = ApiError(500, "etcd is unavailable")
        fail(operator, ApiError)
    api.refusals.clear()
    operator.reconcile()
    assert operator.status["failure"]["class"] == "DriverLost"
    assert api.names(PODS) == []


def test_failures_that_are_not_in_a_row_are_not_reported(api: FakeApiServer) -> None:
    operator = Operator(api)
    for _ in range(3):
        without_status = {part: value for part, value in api.objects[RESOURCE].items() if part != "status"}
        operator.store.put_resource(api.put(RESOURCE, without_status))
        api.refusals["PATCH", STATUS] = ApiError(500, "etcd is unavailable")
        fail(operator, ApiError)
        operator.reconcile()
        assert operator.reason("Stalled") == "AsExpected"
