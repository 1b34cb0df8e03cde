"""Responses that one object gets and others do not: the object is a row, and only a store's failure is the run's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, rows_of_folder
from tests.integration.job.store import Store
from tests.support import faulty_proxy
from tests.support.faulty_proxy import Faults, Respond

KEYS = [f"images/{number:02}.jpg" for number in range(12)]
BAD = KEYS[5]
FOREVER = faulty_proxy.error(500, "InternalError")
DENIED = faulty_proxy.error(403, "AccessDenied")
MOVED = {"Location": "http://127.0.0.1:9/elsewhere", "x-amz-bucket-region": "eu-west-1"}


@pytest.fixture(scope="module")
def proxy(store: Store) -> Iterator[tuple[str, Faults]]:
    """A proxy in front of a bucket of images. All tests use one, since the JVM caches clients by bucket."""
    store.put("faulty", {key: drawings.encoded(drawings.scene(seed=number)) for number, key in enumerate(KEYS)})
    with faulty_proxy.in_front_of(store.endpoint) as running:
        yield running


@pytest.fixture
def faults(proxy: tuple[str, Faults]) -> Iterator[Faults]:
    _, faults = proxy
    faults.requests.clear()
    yield faults
    faults.by_key.clear()
    faults.every = None


def spec_of(proxy: tuple[str, Faults], tiny: Spec, output: Path) -> Spec:
    source = {"endpoint": proxy[0], "bucket": "faulty", "prefix": "images/", "secretRef": {"name": "reader"}}
    return {
        "source": {"s3": source},
        **tiny,
        "output": {"uri": f"file://{output}"},
        "errors": {"maxFailedFraction": 1},
        "execution": {"shardImages": 3},
    }


@pytest.mark.parametrize(
    ("fault", "reason", "said"),
    [
        (DENIED, "Refused", "status 403 AccessDenied"),
        (faulty_proxy.error(404, "NoSuchKey"), "Missing", "no longer exists"),
        (FOREVER, "Unreadable", "status 500 InternalError"),
        (faulty_proxy.cut, "Unreadable", "the response ended after"),
        (faulty_proxy.error(301, "PermanentRedirect", **MOVED), "Refused", "status 301 PermanentRedirect"),
        (faulty_proxy.error(307, "TemporaryRedirect", **MOVED), "Unreadable", "status 307 TemporaryRedirect"),
        (faulty_proxy.error(400, "InvalidRequest"), "Refused", "status 400 InvalidRequest"),
        (faulty_proxy.error(451, "UnavailableForLegalReasons"), "Refused", "status 451"),
        (lambda handler: handler.respond(403, b"<html>a gateway", {}), "Refused", "status 403"),
    ],
    ids=["403", "404", "500", "cut", "301", "307", "400", "451", "html"],
)
def test_a_fault_of_one_object_is_its_row(
    fault: Respond,
    reason: str,
    said: str,
    runner: Runner,
    proxy: tuple[str, Faults],
    faults: Faults,
    tiny: Spec,
    tmp_path: Path,
) -> None:
    faults.by_key[BAD] = fault
    started = time.monotonic()
    outcome = runner.with_store_timeout(600).run(spec_of(proxy, tiny, tmp_path / "table"), uid="one")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert sorted(row["key"] for row in tables.rows) == [key for key in KEYS if key != BAD]
    assert tables.reasons() == {BAD: ("read", reason)}
    assert said in tables.quarantine[0]["message"]
    assert time.monotonic() - started < 300


def test_a_body_that_is_longer_than_its_length_is_quarantined_as_damaged(
    runner: Runner, proxy: tuple[str, Faults], faults: Faults, tiny: Spec, tmp_path: Path
) -> None:
    faults.by_key[BAD] = faulty_proxy.too_short
    outcome = runner.with_store_timeout(60).run(spec_of(proxy, tiny, tmp_path / "table"), uid="short")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert sorted(row["key"] for row in tables.rows) == [key for key in KEYS if key != BAD]
    assert [(row["key"], row["stage"]) for row in tables.quarantine] == [(BAD, "decode")]


@pytest.mark.parametrize("fault", ["slow", "busy", "denied"])
def test_what_passes_costs_no_row(
    fault: str, runner: Runner, proxy: tuple[str, Faults], faults: Faults, tiny: Spec, tmp_path: Path
) -> None:
    if fault == "slow":
        faults.by_key[BAD] = faulty_proxy.slow(3)
    else:
        code = faulty_proxy.error(503, "SlowDown") if fault == "busy" else DENIED
        faults.every = faulty_proxy.first(8, code, faults)
    patient = runner.with_store_timeout(60)
    outcome = patient.run(spec_of(proxy, tiny, tmp_path / "table"), uid=fault)
    if fault == "denied":  # access that was granted while the run began: a refusal is never waited for
        assert outcome.failure is None or outcome.failure.class_ == "AccessDenied", outcome.failure
        outcome = patient.run(spec_of(proxy, tiny, tmp_path / "table"), uid=fault, attempt=2)
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    rows = sorted(row["key"] for row in tables.rows)
    assert sorted([*rows, *(row["key"] for row in tables.quarantine)]) == KEYS
    assert fault == "denied" or rows == KEYS


@pytest.mark.parametrize(
    ("fault", "failure", "retryable"),
    [
        (DENIED, "AccessDenied", False),
        (FOREVER, "StoreUnreachable", True),
        (faulty_proxy.cut, "StoreUnreachable", True),
        (faulty_proxy.error(301, "PermanentRedirect", **MOVED), "StoreError", False),
    ],
    ids=["403", "500", "cut", "301"],
)
def test_a_fault_of_all_objects_is_the_runs_failure(
    fault: Respond,
    failure: str,
    retryable: bool,
    runner: Runner,
    proxy: tuple[str, Faults],
    faults: Faults,
    tiny: Spec,
    tmp_path: Path,
) -> None:
    faults.every = fault
    outcome = runner.run(spec_of(proxy, tiny, tmp_path / "table"), uid="all")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == (failure, retryable), outcome.failure
    assert "Signature" not in outcome.failure.message
