"""Stores that fail mid-run: restarted, full, or revoking access."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.job.faults import NAMES, act_when, fill_bucket, some_shards_done, spec_of
from tests.integration.job.runs import Runner, Spec, rows_of_bucket, rows_of_folder
from tests.integration.job.store import Store, running

# Folder names that users may choose; they appear in exception messages when the store fails.
NAMED_AS_FAILURES = "AccessDenied UnknownHost ModelError No space left on device HBase at TableNotFoundException"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A one-megabyte file system."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=800k", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _write(file: Path, text: str) -> None:
    """Replaces a file's content at once, as the kubelet does with a Secret's."""
    new = file.with_name(f"{file.name}.new")
    new.write_text(text)
    new.replace(file)


def test_a_run_survives_a_restart_of_its_bucket_and_reports_what_it_waits_for(
    runner: Runner, tiny: Spec, image: bytes, tmp_path: Path
) -> None:
    with running(tmp_path) as server:
        store, patient = fill_bucket(server, image, "restarted"), runner.with_store_timeout(120)

        def restart() -> None:
            store.kill()
            while not [report for report in patient.reports if report.waiting and "s3a://restarted" in report.waiting]:
                time.sleep(0.02)
            store.start()

        thread = act_when(lambda: some_shards_done(store, "restarted"), restart)
        outcome = patient.run(spec_of(store, tiny, "restarted"), uid="faults")
        thread.join(60)
        assert outcome.failure is None, outcome.failure
        assert patient.reports[-1].waiting is None
        keys = [row["key"] for row in rows_of_bucket(store, "restarted", "table").rows]
    assert sorted(keys) == [f"images/{name}" for name in NAMES]


def test_a_full_disk_is_reported_and_the_run_resumes_once_there_is_space(
    runner: Runner, tiny: Spec, image: bytes, tmp_path: Path, small_disk: Path
) -> None:
    (tmp_path / "images").mkdir()
    for name in NAMES:
        (tmp_path / "images" / name).write_bytes(image)
    ballast = small_disk / ".ballast"
    ballast.write_bytes(bytes(740_000))
    source = {"files": {"uri": f"file://{tmp_path}/images"}}
    spec = {
        "source": source,
        **tiny,
        "output": {"uri": f"file://{small_disk}/table"},
        "execution": {"shardImages": 6},
    }
    outcome = runner.run(spec, uid="full")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("OutputFull", True), outcome.failure
    ballast.unlink()
    assert runner.run(spec, uid="full", attempt=2).failure is None
    assert sorted(row["key"] for row in rows_of_folder(small_disk / "table").rows) == NAMES


def test_image_names_do_not_affect_the_failure_class(runner: Runner, tiny: Spec, image: bytes, tmp_path: Path) -> None:
    with running(tmp_path) as store:
        store.put("named", {f"images/{NAMED_AS_FAILURES}/{number:03}.jpg": image for number in range(240)})
        act_when(lambda: some_shards_done(store, "named"), store.kill)
        outcome = runner.run(spec_of(store, tiny, "named"), uid="faults")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("StoreUnreachable", True), outcome.failure


def test_a_secret_that_loses_a_key_mid_run_is_named(
    runner: Runner, store: Store, secrets: Path, tiny: Spec, image: bytes, tmp_path: Path
) -> None:
    shutil.copytree(secrets, tmp_path / "secrets")
    key = tmp_path / "secrets" / "store" / "AWS_SECRET_ACCESS_KEY"
    environment = replace(runner.environment, secrets=tmp_path / "secrets")
    fill_bucket(store, image, "halved")
    act_when(lambda: some_shards_done(store, "halved"), key.unlink)
    outcome = replace(runner, environment=environment).run(spec_of(store, tiny, "halved"), uid="faults")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("SecretIncomplete", False), outcome.failure
    assert "store" in outcome.failure.message and "AWS_SECRET_ACCESS_KEY" in outcome.failure.message


def test_credentials_revoked_mid_run_are_named(
    runner: Runner, store: Store, secrets: Path, tiny: Spec, image: bytes, tmp_path: Path
) -> None:
    shutil.copytree(secrets, tmp_path / "secrets")
    key = tmp_path / "secrets" / "store" / "AWS_SECRET_ACCESS_KEY"
    right = key.read_text()
    own = replace(runner, environment=replace(runner.environment, secrets=tmp_path / "secrets"))
    spec = spec_of(fill_bucket(store, image, "revoked"), tiny, "revoked")
    act_when(lambda: some_shards_done(store, "revoked"), lambda: _write(key, "no-longer-valid"))
    outcome = own.run(spec, uid="faults")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("AccessDenied", False), outcome.failure
    assert "no-longer-valid" not in outcome.failure.message and right not in outcome.failure.message
    key.write_text(right)
    assert own.run(spec, uid="faults", attempt=2).failure is None
    keys = [row["key"] for row in rows_of_bucket(store, "revoked", "table").rows]
    assert sorted(keys) == [f"images/{name}" for name in NAMES]
