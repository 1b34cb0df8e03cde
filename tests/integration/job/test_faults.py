"""Stores that fail in the middle of a run: restarted, cut off, full, or no longer letting it in."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, rows_of_bucket, rows_of_folder
from tests.integration.job.store import Store, running
from tests.stores import hbase, hdfs

PICTURES = 240
NAMES = [f"{number:04}.jpg" for number in range(PICTURES)]
CUT_SECONDS = 8.0


@pytest.fixture
def picture() -> bytes:
    return drawings.encoded(drawings.scene())


def in_the_middle(is_there: Callable[[], bool], act: Callable[[], None]) -> threading.Thread:
    """Does something as soon as some shards are done."""

    def wait_and_act() -> None:
        while not is_there():
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait_and_act, daemon=True)
    thread.start()
    return thread


def spec_of(store: Store, tiny: Spec, bucket: str) -> Spec:
    """Returns a run within a bucket; each test has a name of its own, since the JVM keeps clients by bucket."""
    source = {"endpoint": store.endpoint, "bucket": bucket, "prefix": "pictures/", "secretRef": {"name": "store"}}
    output = {"uri": f"s3://{bucket}/table"}
    return {"source": {"s3": source}, **tiny, "output": output, "execution": {"shardPictures": 6}}


def filled(store: Store, picture: bytes, bucket: str) -> Store:
    store.put(bucket, {f"pictures/{name}": picture for name in NAMES})
    return store


def some_done(store: Store, bucket: str) -> bool:
    return len(store.keys(bucket, "table/_featx/faults/done/")) >= 3


def cut_off(send: Callable[[signal.Signals], None]) -> None:
    """Makes a server deaf for a while: it keeps its connections, and nothing comes back on them."""
    send(signal.SIGSTOP)
    time.sleep(CUT_SECONDS)  # it is the time that is the fault
    send(signal.SIGCONT)


def _write(file: Path, text: str) -> None:
    file.write_text(text)


def test_a_run_outlasts_a_restart_of_its_bucket_and_says_what_it_waits_for(
    runner: Runner, tiny: Spec, picture: bytes, tmp_path: Path
) -> None:
    with running(tmp_path) as started:
        store, patient = filled(started, picture, "restarted"), runner.patient(120)

        def restart() -> None:
            store.kill()
            while not [seen for seen in patient.seen if seen.waiting and "s3a://restarted" in seen.waiting]:
                time.sleep(0.02)
            store.start()

        thread = in_the_middle(lambda: some_done(store, "restarted"), restart)
        outcome = patient.run(spec_of(store, tiny, "restarted"), uid="faults")
        thread.join(60)
        assert outcome.failure is None, outcome.failure
        assert patient.seen[-1].waiting is None
        keys = [row["key"] for row in rows_of_bucket(store, "restarted", "table").rows]
    assert sorted(keys) == [f"pictures/{name}" for name in NAMES]


def test_a_run_outlasts_a_cut_to_its_bucket(runner: Runner, tiny: Spec, picture: bytes, tmp_path: Path) -> None:
    with running(tmp_path) as started:
        store = filled(started, picture, "cut")
        thread = in_the_middle(lambda: some_done(store, "cut"), lambda: cut_off(store.send))
        outcome = runner.patient(120).run(spec_of(store, tiny, "cut"), uid="faults")
        thread.join(60)
        assert outcome.failure is None, outcome.failure
        keys = [row["key"] for row in rows_of_bucket(store, "cut", "table").rows]
    assert sorted(keys) == [f"pictures/{name}" for name in NAMES]


def test_a_run_outlasts_a_cut_to_hbase(runner: Runner, tiny: Spec, picture: bytes, tmp_path: Path) -> None:
    (tmp_path / "hbase").mkdir()
    with hbase.running(tmp_path / "hbase", session_seconds=60) as server:
        server.client.create("faults")
        server.client.put("faults", {name.encode(): picture for name in NAMES})
        server.client.flush("faults")
        source = {"quorum": server.quorum, "table": "faults", "column": f"{hbase.FAMILY}:{hbase.QUALIFIER}"}
        spec = {"source": {"hbase": source}, **tiny, "output": {"uri": f"file://{tmp_path}/table"}}
        done = tmp_path / "table" / "_featx" / "faults" / "done"
        thread = in_the_middle(lambda: any(done.glob("*.json")), lambda: cut_off(server.server.send))
        outcome = runner.patient(120).run(spec | {"execution": {"shardPictures": 6}}, uid="faults")
        thread.join(60)
    assert outcome.failure is None, outcome.failure
    assert sorted(row["key"] for row in rows_of_folder(tmp_path / "table").rows) == NAMES


def test_a_run_outlasts_a_cut_to_hdfs(runner: Runner, tiny: Spec, picture: bytes, tmp_path: Path) -> None:
    (tmp_path / "hdfs").mkdir()
    (tmp_path / "pictures").mkdir()
    for name in NAMES:
        (tmp_path / "pictures" / name).write_bytes(picture)
    with hdfs.running(tmp_path / "hdfs") as files:
        source = {"files": {"uri": f"file://{tmp_path}/pictures"}}
        spec = {"source": source, **tiny, "output": {"uri": f"{files.uri}/table"}, "execution": {"shardPictures": 6}}
        thread = in_the_middle(
            lambda: any("/done/" in path for path in files.files("/")), lambda: cut_off(files.server.send)
        )
        outcome = runner.patient(120).run(spec, uid="faults")
        thread.join(60)
        assert outcome.failure is None, outcome.failure
        assert outcome.outputs[0].record_count == PICTURES


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=800k", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_room(
    runner: Runner, tiny: Spec, picture: bytes, tmp_path: Path, small_disk: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    for name in NAMES:
        (tmp_path / "pictures" / name).write_bytes(picture)
    ballast = small_disk / ".ballast"
    ballast.write_bytes(bytes(740_000))
    source = {"files": {"uri": f"file://{tmp_path}/pictures"}}
    spec = {
        "source": source,
        **tiny,
        "output": {"uri": f"file://{small_disk}/table"},
        "execution": {"shardPictures": 6},
    }
    outcome = runner.run(spec, uid="full")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("OutputFull", True), outcome.failure
    ballast.unlink()
    assert runner.run(spec, uid="full", attempt=2).failure is None
    assert sorted(row["key"] for row in rows_of_folder(small_disk / "table").rows) == NAMES


def test_credentials_that_are_revoked_in_the_middle_are_named(
    runner: Runner, secrets: Path, tiny: Spec, picture: bytes, tmp_path: Path
) -> None:
    shutil.copytree(secrets, tmp_path / "secrets")
    key = tmp_path / "secrets" / "store" / "AWS_SECRET_ACCESS_KEY"
    right = key.read_text()
    around = replace(runner.surroundings, secrets=tmp_path / "secrets")
    with running(tmp_path) as started:
        store = filled(started, picture, "revoked")
        in_the_middle(lambda: some_done(store, "revoked"), lambda: _write(key, "no-longer-valid"))
        outcome = replace(runner, surroundings=around).run(spec_of(store, tiny, "revoked"), uid="faults")
        assert outcome.failure is not None
        assert (outcome.failure.class_, outcome.retryable) == ("AccessDenied", False), outcome.failure
        assert "no-longer-valid" not in outcome.failure.message and right not in outcome.failure.message
        key.write_text(right)
        assert (
            replace(runner, surroundings=around).run(spec_of(store, tiny, "revoked"), uid="faults", attempt=2).failure
            is None
        )
        keys = [row["key"] for row in rows_of_bucket(store, "revoked", "table").rows]
    assert sorted(keys) == [f"pictures/{name}" for name in NAMES]
