"""Stores that are deaf for half a minute in the middle of a run, as behind a network that is cut."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.integration.job.faults import IMAGES, NAMES, filled, in_the_middle, some_done, spec_of
from tests.integration.job.runs import Runner, Spec, rows_of_bucket, rows_of_folder
from tests.integration.job.store import running
from tests.support.stores import hbase, hdfs

CUT_SECONDS = 30.0


def cut_off(send: Callable[[signal.Signals], None]) -> None:
    """Makes a server deaf for a while: it keeps its connections, and nothing comes back on them."""
    send(signal.SIGSTOP)
    time.sleep(CUT_SECONDS)  # it is the time that is the fault
    send(signal.SIGCONT)


def test_a_run_outlasts_a_cut_to_its_bucket(runner: Runner, tiny: Spec, image: bytes, tmp_path: Path) -> None:
    with running(tmp_path) as started:
        store = filled(started, image, "cut")
        thread = in_the_middle(lambda: some_done(store, "cut"), lambda: cut_off(store.send))
        outcome = runner.patient(120).run(spec_of(store, tiny, "cut"), uid="faults")
        thread.join(60)
        assert outcome.failure is None, outcome.failure
        keys = [row["key"] for row in rows_of_bucket(store, "cut", "table").rows]
    assert sorted(keys) == [f"images/{name}" for name in NAMES]


def test_a_run_outlasts_a_cut_to_hbase(runner: Runner, tiny: Spec, image: bytes, tmp_path: Path) -> None:
    (tmp_path / "hbase").mkdir()
    with hbase.running(tmp_path / "hbase", session_seconds=60) as server:
        server.client.create("faults")
        server.client.put("faults", {name.encode(): image for name in NAMES})
        server.client.flush("faults")
        source = {"quorum": server.quorum, "table": "faults", "column": f"{hbase.FAMILY}:{hbase.QUALIFIER}"}
        spec = {"source": {"hbase": source}, **tiny, "output": {"uri": f"file://{tmp_path}/table"}}
        done = tmp_path / "table" / "_featx" / "faults" / "done"
        thread = in_the_middle(lambda: any(done.glob("*.json")), lambda: cut_off(server.server.send))
        outcome = runner.patient(120).run(spec | {"execution": {"shardImages": 6}}, uid="faults")
        thread.join(60)
    assert outcome.failure is None, outcome.failure
    assert sorted(row["key"] for row in rows_of_folder(tmp_path / "table").rows) == NAMES


def test_a_run_outlasts_a_cut_to_hdfs(runner: Runner, tiny: Spec, image: bytes, tmp_path: Path) -> None:
    (tmp_path / "hdfs").mkdir()
    (tmp_path / "images").mkdir()
    for name in NAMES:
        (tmp_path / "images" / name).write_bytes(image)
    with hdfs.running(tmp_path / "hdfs") as files:
        source = {"files": {"uri": f"file://{tmp_path}/images"}}
        spec = {"source": source, **tiny, "output": {"uri": f"{files.uri}/table"}, "execution": {"shardImages": 6}}
        thread = in_the_middle(
            lambda: any("/done/" in path for path in files.files("/")), lambda: cut_off(files.server.send)
        )
        outcome = runner.patient(120).run(spec, uid="faults")
        thread.join(60)
        assert outcome.failure is None, outcome.failure
        assert outcome.outputs[0].record_count == IMAGES
