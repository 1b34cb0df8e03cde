"""The order in which real stores are listed, and where a listing goes on."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest
from featx_api.s3 import S3Source
from featx_job.clients import s3
from featx_job.clients.hadoop import Hadoop
from featx_job.source import s3_ranges
from featx_job.source.hdfs import HadoopSource
from featx_job.source.objects import ObjectSource, by_key
from featx_job.source.s3 import BucketSource
from featx_job.spark import memory, settings

from tests.integration.job.runs import Runner, Spec, job
from tests.integration.job.store import Store
from tests.support.stores import hdfs

PARTS = ("a", "a-", "a.jpg", "a0", "é")
NESTED = sorted(
    {f"{one}/{two}/{three}.png" for one, two, three in itertools.product(PARTS, repeat=3)}
    | {f"{one}/{two}!" for one, two in itertools.product(PARTS, repeat=2)}
    | {"a!", "a+", "b"}
)


def assert_lists(source: ObjectSource, expected: list[str]) -> None:
    """All keys are listed in order, and after any of them the later ones."""
    listed = list(source.objects())
    assert [file.key for file in listed] == expected
    assert listed == by_key(listed)
    for index in range(0, len(expected), max(1, len(expected) // 7)):
        assert list(source.objects(after=expected[index])) == listed[index + 1 :]


def bucket_source(store: Store, secrets: Path, bucket: str, prefix: str) -> BucketSource:
    access = S3Source(endpoint=store.endpoint, bucket=bucket, prefix=prefix, secret_ref={"name": "store"})
    return BucketSource(s3.open_source_bucket(access, "spec.source.s3", secrets, 5), prefix)


def test_a_flat_bucket_is_listed_by_ranges_in_order(
    store: Store, secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_ranges, "RANGE", 1)
    monkeypatch.setattr(s3_ranges, "LONG", 2)
    names = [f"img-{number:05}.jpg" for number in range(0, 6_000, 2)]
    for name in names:
        (tmp_path / "flat" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "flat" / name).write_bytes(b"x")
    store.put("flat-listing", {"flatter.jpg": b"x"})
    store.copy_folder(tmp_path / "flat", "flat-listing")
    source = bucket_source(store, secrets, "flat-listing", "flat/")
    assert_lists(source, [f"flat/{name}" for name in names])
    assert_lists(
        bucket_source(store, secrets, "flat-listing", "flat"), [*(f"flat/{name}" for name in names), "flatter.jpg"]
    )


def test_a_store_that_keeps_folders_is_listed_in_the_order_of_bytes(store: Store, secrets: Path) -> None:
    store.put("nested-listing", {f"in/{name}": b"x" for name in NESTED})
    assert [key.removeprefix("in/") for key in store.keys("nested-listing", "in/")] == NESTED
    for prefix in ("in/", "", "in", "in/a"):
        expected = [f"in/{name}" for name in NESTED if f"in/{name}".startswith(prefix)]
        assert_lists(bucket_source(store, secrets, "nested-listing", prefix), expected)


def test_folders_of_hdfs_are_listed_in_the_order_of_bytes_even_while_it_restarts(
    runner: Runner, tiny: Spec, tmp_path: Path
) -> None:
    with hdfs.running(tmp_path) as files:
        for name in NESTED:
            files.put(f"/in/{name}", b"x")
        for number in range(1200):
            files.put(f"/in/a/{number:04}", b"")
        expected = sorted([*NESTED, *(f"a/{number:04}" for number in range(1200))], key=str.encode)
        spec = {"source": {"files": {"uri": f"{files.uri}/in"}}, **tiny, "output": {"uri": f"file://{tmp_path}/out"}}
        planned = job(spec, "listing")
        conf = settings.conf(planned, runner.environment, memory.sizes((), planned.spec, 1))
        source = HadoopSource(Hadoop(lambda: conf, 60), f"{files.uri}/in")
        assert_lists(source, expected)
        listing = source.objects()
        listed = [next(listing).key]
        files.server.kill()
        restart = threading.Thread(target=files.restart)
        restart.start()
        listed += [file.key for file in listing]
        restart.join()
        assert listed == expected
