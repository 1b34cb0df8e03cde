"""Whatever cluster, driver and people write: `plan` decides, and the status is one that the API server accepts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
from featx_api import contract
from featx_api.crd import resource_schema
from featx_api.status import STATUS_LIMIT
from featx_operator.decisions.events import NOTE_LIMIT, events_between
from featx_operator.decisions.plan import plan
from featx_operator.objects import status_of
from featx_operator.settings import Settings
from featx_operator.state.observed import Observed, Pod, Refusal, reduced, waiting_from
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.operator.world import START, World, running

STATUS = jsonschema.Draft202012Validator(resource_schema()["properties"]["status"])
ANYTHING = st.text(st.characters(codec=None, categories=None), max_size=60)
SPECIAL = st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "\x1b[2J\x1b]52;c;Zm9v\x07",
        "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
        "\ud800",
        "😀" * 5000,
        "x" * 100_000,
        "{" * 5000,
        "[" * 4000,
        "FailedMount",
        'secret "' + "\x1b" * 300 + '" not found',
    ]
)
TEXT = ANYTHING | SPECIAL
NUMBERS = st.sampled_from([0, -1, 1, 2**31, 2**53, 2**53 + 2, 2**63, 10**400, float("nan"), float("inf"), -1e308, 0.5])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


Fields = dict[str, st.SearchStrategy[Any]]


def objects(required: Fields, optional: Fields) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with all of the first fields, and some of the others."""
    return st.fixed_dictionaries(required, optional=optional)


PROGRESS_FIELDS = (
    "imagesTotal",
    "imagesDone",
    "imagesFailed",
    "imagesPerSecond",
    "etaSeconds",
    "shardsDone",
    "shardsTotal",
    "precision",
    "waiting",
    "waitingReason",
    "lastUpdateTime",
)
PROGRESS = objects({}, dict.fromkeys(PROGRESS_FIELDS, JSON))
TABLE = objects(
    {
        "uri": st.sampled_from(["s3://features/table", "s3://features/table/../x", "s3://other"]) | TEXT,
        "kind": st.sampled_from(["features", "quarantine"]) | TEXT,
        "format": st.sampled_from(["delta", "parquet"]) | TEXT,
        "recordCount": NUMBERS,
        "bytes": NUMBERS,
    },
    {"manifest": TEXT},
)
OUTCOME = objects(
    {"result": st.sampled_from(["Succeeded", "Failed"]) | TEXT},
    {
        "progress": PROGRESS,
        "outputs": st.lists(TABLE, max_size=12),
        "failure": objects({"class": TEXT, "message": TEXT}, {}),
        "retryable": SCALARS,
    },
)
WORDS = TEXT | (JSON | OUTCOME | PROGRESS).map(json.dumps)
TIMES = st.sampled_from([None, "2026-11-25T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])


@st.composite
def pods(draw: st.DrawFn, role: str) -> Pod:
    """A pod whose status and annotation hold anything."""
    terminated = {"exitCode": draw(st.integers(-(2**31), 2**31)), "reason": draw(TEXT), "message": draw(WORDS)}
    state = draw(
        st.sampled_from(
            [
                {},
                {"waiting": {"reason": draw(TEXT), "message": draw(TEXT)}},
                {"terminated": {**terminated, "finishedAt": draw(TIMES)}},
            ]
        )
    )
    conditions = [
        {"type": type_, "status": draw(st.sampled_from(["True", "False"])), "reason": draw(TEXT), "message": draw(TEXT)}
        for type_ in draw(st.sets(st.sampled_from(["PodScheduled", "Ready", "DisruptionTarget"])))
    ]
    metadata = {
        "name": "catalog-1-driver" if role == contract.DRIVER else "catalog-1-exec-1",
        "uid": "p-1" if role == contract.DRIVER else "e-1",
        "creationTimestamp": draw(TIMES),
        "annotations": {contract.PROGRESS_ANNOTATION: draw(WORDS), contract.APPLIED_ANNOTATION: draw(WORDS)},
        "ownerReferences": [{"kind": "Pod", "name": "x", "uid": "p-1", "controller": True}],
    }
    status = {
        "phase": draw(st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"])),
        "reason": draw(TEXT),
        "message": draw(TEXT),
        "conditions": conditions,
        "containerStatuses": [{"name": role, "state": state}],
    }
    return reduced({"metadata": metadata, "status": status}, role, 1)


def observed(driver: Pod | None, executor: Pod, refusal: tuple[str, str] | None, mount: str) -> Observed:
    return Observed(
        pods=(*([driver] if driver else []), executor),
        created={1: "p-1"},
        refusal=Refusal("DriverRefused", refusal[1]) if refusal else None,
        mount_failure=waiting_from("FailedMount", mount),
        absent_secrets=frozenset({"store"}),
    )


def check(world: World, seen: Observed, now: datetime = START) -> None:
    """Plans until the status is stable, and checks every status and Event."""
    for _ in range(4):
        before = status_of(world.body)
        decision = plan(world.body, seen, now, Settings())
        wire = decision.status.to_wire()
        STATUS.validate(wire)
        text = json.dumps(wire, ensure_ascii=False, allow_nan=False)
        assert len(text.encode()) <= STATUS_LIMIT
        assert text.isprintable()
        for event in events_between(before, decision.status):
            assert event.note.isprintable()
            assert len(event.note.encode()) <= NOTE_LIMIT
        world.body["status"] = wire


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    driver=st.none() | pods(contract.DRIVER),
    executor=pods(contract.EXECUTOR),
    refusal=st.none() | st.tuples(TEXT, TEXT),
    mount=TEXT,
    limit=st.sampled_from([0, 3]),
)
def test_a_plan_never_raises_and_its_status_is_accepted(
    driver: Pod | None, executor: Pod, refusal: tuple[str, str] | None, mount: str, limit: int
) -> None:
    world = World(backoffLimit=limit)
    world.reconcile()
    check(world, observed(driver, executor, refusal, mount))


def test_the_largest_status_keeps_to_the_limit() -> None:
    world = running(backoffLimit=0)
    text = "😀" * 4096
    world.end(1, "", disruption="Evicted")
    world._update("catalog-1-driver", message=text)
    world.converge()
    wire = world.status.to_wire()
    for condition in wire["conditions"]:
        assert condition["type"] not in ("Complete", "Finished") or condition["message"] == ""
        condition["message"] = text[:1024] if condition["type"] not in ("Complete", "Finished") else ""
    wire["failure"]["message"] = text
    wire["progress"] = {"precision": text[:64], "waiting": text[:512], "imagesDone": 2**53, "imagesTotal": 2**53}
    wire["outputs"] = [{"uri": "s3://features/table/" + text[: contract.TERMINATION_MESSAGE_LIMIT // 4]}]
    assert len(json.dumps(wire, ensure_ascii=False).encode()) <= STATUS_LIMIT


def test_a_clock_that_is_ahead_postpones_nothing() -> None:
    world = running()
    world.end(1)
    driver = world.driver if not world.pods["catalog-1-driver"].ended else world.pods["catalog-1-driver"]
    exit_ = driver.exit
    assert exit_
    world._update("catalog-1-driver", exit=type(exit_)(1, at=datetime(2999, 1, 1, tzinfo=UTC)))
    wait = world.converge().requeue_after
    assert wait and wait <= 10
