"""Stores that stop responding for half a minute mid-run, as in a network outage."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from featx_api.contract import Outcome

from tests.integration.job.faults import IMAGES, NAMES, act_when, fill_bucket, some_shards_done, spec_of
from tests.integration.job.runs import Runner, Spec, rows_of_bucket, rows_of_folder
from tests.integration.job.store import running
from tests.support.stores import hbase, hdfs

OUTAGE_SECONDS = 30.0


def interrupt(send: Callable[[signal.Signals], None]) -> None:
    """Makes a server unresponsive for a while: connections stay open, but nothing comes back on them."""
    send(signal.SIGSTOP)
    time.sleep(OUTAGE_SECONDS)  # the outage itself
    send(signal.SIGCONT)


def assert_spent(outcome: Outcome, *steps: str) -> None:
    """Asserts that the outage is seen in what these steps took, and in no other but waiting for their result."""
    assert outcome.progress
    assert outcome.progress.step_seconds
    seconds = outcome.progress.step_seconds.model_dump()
    assert sum(seconds[step] for step in steps) > 0.6 * OUTAGE_SECONDS, seconds
    for step in ("decode", "detect", "extract"):
        assert 0 < seconds[step] < 0.5 * OUTAGE_SECONDS, seconds


def test_a_run_survives_an_outage_of_its_bucket(runner: Runner, tiny: Spec, image: bytes, tmp_path: Path) -> None:
    with running(tmp_path) as server:
        store = fill_bucket(server, image, "outage")
        thread = act_when(lambda: some_shards_done(store, "outage"), lambda: interrupt(store.send))
        outcome = runner.with_store_timeout(120).run(spec_of(store, tiny, "outage"), uid="faults")
        thread.join(60)
        assert outcome.failure is None, outcome.failure
        assert_spent(outcome, "read", "write")
        keys = [row["key"] for row in rows_of_bucket(store, "outage", "table").rows]
    assert sorted(keys) == [f"images/{name}" for name in NAMES]


def test_a_run_survives_an_outage_of_hbase(runner: Runner, tiny: Spec, image: bytes, tmp_path: Path) -> None:
    (tmp_path / "hbase").mkdir()
    with hbase.running(tmp_path / "hbase", session_seconds=60) as server:
        server.client.create("faults")
        server.client.put("faults", {name.encode(): image for name in NAMES})
        server.client.flush("faults")
        source = {"quorum": server.quorum, "table": "faults", "column": f"{hbase.FAMILY}:{hbase.QUALIFIER}"}
        spec = {"source": {"hbase": source}, **tiny, "output": {"uri": f"file://{tmp_path}/table"}}
        done = tmp_path / "table" / "_featx" / "faults" / "done"
        thread = act_when(lambda: any(done.glob("*.json")), lambda: interrupt(server.server.send))
        outcome = runner.with_store_timeout(120).run(spec | {"execution": {"shardImages": 6}}, uid="faults")
        thread.join(60)
    assert outcome.failure is None, outcome.failure
    assert_spent(outcome, "read")
    assert sorted(row["key"] for row in rows_of_folder(tmp_path / "table").rows) == NAMES


def test_a_run_survives_an_outage_of_hdfs(runner: Runner, tiny: Spec, image: bytes, tmp_path: Path) -> None:
    (tmp_path / "hdfs").mkdir()
    (tmp_path / "images").mkdir()
    for name in NAMES:
        (tmp_path / "images" / name).write_bytes(image)
    with hdfs.running(tmp_path / "hdfs") as files:
        source = {"files": {"uri": f"file://{tmp_path}/images"}}
        spec = {"source": source, **tiny, "output": {"uri": f"{files.uri}/table"}, "execution": {"shardImages": 6}}
        thread = act_when(
            lambda: any("/done/" in path for path in files.files("/")), lambda: interrupt(files.server.send)
        )
        outcome = runner.with_store_timeout(120).run(spec, uid="faults")
        thread.join(60)
        assert outcome.failure is None, outcome.failure
        assert outcome.outputs[0].record_count == IMAGES
        assert_spent(outcome, "write")
