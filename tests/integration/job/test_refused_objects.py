"""One object that a store refuses or cannot read is a row; a store that refuses all of them fails the run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from featx_job import read_source
from featx_job.failures import RunFailure

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, Tables, job, rows_of_bucket, rows_of_folder
from tests.integration.job.store import Store, running
from tests.support.packed_files import tar

IMAGES = 24


def fill(store: Store, bucket: str) -> list[str]:
    """Stores images in two folders, and returns their keys."""
    images = {
        f"images/{folder}/{number:02}.jpg": drawings.encoded(drawings.scene(seed=number))
        for folder in ("2019", "2026")
        for number in range(IMAGES // 2)
    }
    store.put(bucket, images)
    return list(images)


def deny(store: Store, bucket: str, key: str) -> None:
    """Lets nobody read some objects, by a policy of the bucket."""
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{bucket}/{key}"],
    }
    store.client.set_bucket_policy(bucket, json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def spec_of(store: Store, tiny: Spec, bucket: str, output: Path) -> Spec:
    source = {"endpoint": store.endpoint, "bucket": bucket, "prefix": "images/", "secretRef": {"name": "reader"}}
    return {
        "source": {"s3": source},
        **tiny,
        "output": {"uri": f"file://{output}"},
        "errors": {"maxFailedFraction": 1},
        "execution": {"shardImages": 3},
    }


def keys(tables: Tables) -> list[str]:
    return sorted(row["key"] for row in tables.rows)


def message(tables: Tables, key: str) -> str:
    (text,) = [row["message"] for row in tables.quarantine if row["key"] == key]
    return str(text)


def test_an_object_that_a_policy_denies_is_a_row(runner: Runner, store: Store, tiny: Spec, tmp_path: Path) -> None:
    images = fill(store, "denied-one")
    deny(store, "denied-one", "images/2019/00.jpg")
    outcome = runner.run(spec_of(store, tiny, "denied-one", tmp_path / "table"), uid="one")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert keys(tables) == images[1:]
    assert tables.reasons() == {"images/2019/00.jpg": ("read", "Refused")}
    assert "status 403 AccessDenied" in message(tables, "images/2019/00.jpg")


def test_an_archive_that_a_policy_denies_is_a_row(runner: Runner, store: Store, tiny: Spec, tmp_path: Path) -> None:
    archive = tar({"a.jpg": drawings.encoded(drawings.scene())})
    store.put("denied-archive", {f"images/{number}.tar": archive for number in range(3)})
    deny(store, "denied-archive", "images/0.tar")
    spec = spec_of(store, tiny, "denied-archive", tmp_path / "table")
    spec["source"]["packed"] = {}
    outcome = runner.run(spec, uid="archive")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert keys(tables) == ["images/1.tar/a.jpg", "images/2.tar/a.jpg"]
    assert tables.reasons() == {"images/0.tar": ("read", "Refused")}
    assert "status 403 AccessDenied" in message(tables, "images/0.tar")


def test_whole_shards_may_be_denied_while_others_are_read(
    runner: Runner, store: Store, tiny: Spec, tmp_path: Path
) -> None:
    images = fill(store, "denied-folder")
    deny(store, "denied-folder", "images/2019/*")
    outcome = runner.run(spec_of(store, tiny, "denied-folder", tmp_path / "table"), uid="folder")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert keys(tables) == images[IMAGES // 2 :]
    assert tables.reasons() == dict.fromkeys(images[: IMAGES // 2], ("read", "Refused"))


def test_a_store_that_denies_all_objects_fails_the_run_and_leaves_no_row(
    runner: Runner, store: Store, tiny: Spec, tmp_path: Path
) -> None:
    images = fill(store, "denied-all")
    deny(store, "denied-all", "images/*")
    spec = spec_of(store, tiny, "denied-all", tmp_path / "table")
    outcome = runner.run(spec, uid="all")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("AccessDenied", False), outcome.failure
    assert "403 AccessDenied" in outcome.failure.message
    store.client.delete_bucket_policy("denied-all")
    assert runner.run(spec, uid="all", attempt=2).failure is None
    tables = rows_of_folder(tmp_path / "table")
    assert (keys(tables), tables.quarantine) == (images, [])


def test_a_requested_object_that_is_denied_is_a_row(runner: Runner, store: Store, tiny: Spec, tmp_path: Path) -> None:
    images = fill(store, "denied-request")
    deny(store, "denied-request", "images/2019/00.jpg")
    spec = spec_of(store, tiny, "denied-request", tmp_path / "table")
    spec["source"]["keys"] = [images[0], images[1], "images/none.jpg"]
    assert runner.run(spec, uid="request").failure is None
    tables = rows_of_folder(tmp_path / "table")
    assert keys(tables) == [images[1]]
    assert tables.reasons() == {images[0]: ("read", "Refused"), "images/none.jpg": ("read", "Missing")}
    spec["source"]["keys"], spec["output"]["uri"] = [images[0]], f"file://{tmp_path}/alone"
    outcome = runner.run(spec, uid="alone")
    assert outcome.failure is not None and outcome.failure.class_ == "AccessDenied"


def test_reading_without_nets_reports_a_store_that_denies_all_objects(
    runner: Runner, store: Store, tiny: Spec, tmp_path: Path
) -> None:
    fill(store, "denied-reading")
    spec = spec_of(store, tiny, "denied-reading", tmp_path / "unused")
    deny(store, "denied-reading", "images/2019/*")
    result = read_source.read(job(spec), runner.environment)
    assert (result.images, result.unreadable) == (IMAGES // 2, IMAGES // 2)
    deny(store, "denied-reading", "images/*")
    with pytest.raises(RunFailure, match="403 AccessDenied") as raised:
        read_source.read(job(spec), runner.environment)
    assert raised.value.class_ == "AccessDenied"


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    """A store of its own, whose disk the test may damage."""
    (tmp_path / "store").mkdir()
    with running(tmp_path / "store") as store:
        yield store


def test_an_object_whose_bytes_rotted_in_the_store_is_a_row_and_nothing_waits_for_it(
    runner: Runner, own_store: Store, tiny: Spec, tmp_path: Path
) -> None:
    images = fill(own_store, "rotten")
    marker = b"the bytes of one object, which a bad disk changes"
    own_store.put("rotten", {"images/2026/rotten.jpg": marker})
    own_store.kill()
    (volume,) = [path for path in (tmp_path / "store" / "data").glob("*.dat") if marker in path.read_bytes()]
    volume.write_bytes(volume.read_bytes().replace(marker, marker.upper()))
    own_store.start()
    started = time.monotonic()
    patient = runner.with_store_timeout(120)
    outcome = patient.run(spec_of(own_store, tiny, "rotten", tmp_path / "table"), uid="rotten")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert keys(tables) == images
    assert tables.reasons() == {"images/2026/rotten.jpg": ("read", "Unreadable")}
    assert time.monotonic() - started < 60


def test_a_bucket_in_which_an_object_is_denied_is_written_to_as_before(
    runner: Runner, store: Store, tiny: Spec, tmp_path: Path
) -> None:
    images = fill(store, "denied-and-written")
    deny(store, "denied-and-written", "images/2026/03.jpg")
    spec = spec_of(store, tiny, "denied-and-written", tmp_path)
    spec["source"]["s3"]["secretRef"]["name"] = "store"
    outcome = runner.run(spec | {"output": {"uri": "s3://denied-and-written/table"}}, uid="written")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_bucket(store, "denied-and-written", "table")
    assert keys(tables) == [key for key in images if key != "images/2026/03.jpg"]


def test_a_file_that_the_operating_system_cannot_read_is_a_row(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.jpg", "c.jpg"):
        (folder / name).write_bytes(drawings.encoded(drawings.scene()))
    (folder / "b.jpg").symlink_to("/sys/class/net/lo/speed")  # a file of 4096 bytes: reading it fails
    spec = {"source": {"files": {"uri": f"file://{folder}"}}, **tiny, "output": {"uri": f"file://{tmp_path}/table"}}
    outcome = runner.with_store_timeout(120).run(spec | {"errors": {"maxFailedFraction": 1}}, uid="disk")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert keys(tables) == ["a.jpg", "c.jpg"]
    assert tables.reasons() == {"b.jpg": ("read", "Unreadable")}
    assert "Invalid argument" in message(tables, "b.jpg")
