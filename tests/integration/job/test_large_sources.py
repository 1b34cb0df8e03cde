"""Inventories and lists of keys in a real store: what is planned is what they list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from featx_api.spec import FeatureExtractionSpec
from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.planning import list_shards
from featx_job.source.shards import ObjectShards

from tests.integration.job.runs import Runner, Spec, rows_of_folder
from tests.integration.job.store import Store
from tests.support import inventories
from tests.support.inventories import Entry, Format

NAMES = ["in/b c+d%.jpg", "in/a.jpg", "in/é.png"]


def source_of(store: Store, bucket: str, **source: Any) -> dict[str, Any]:
    return {"endpoint": store.endpoint, "bucket": bucket, "prefix": "in/", "secretRef": {"name": "store"}, **source}


def planned(source: dict[str, Any], secrets: Path, work: Path) -> list[tuple[str, int, str]]:
    model = {"prototxt": "file:///a", "weights": "file:///b", "sha256": "0" * 64}
    document = {"source": source, "extractor": {"model": model, "layer": "pool"}, "output": {"uri": f"file://{work}/t"}}
    environment = Environment(jars=work, work=work / "work", secrets=secrets)
    shards = list_shards(FeatureExtractionSpec.from_wire(document), environment, Hadoop(dict, 0), None)[0]
    assert isinstance(shards, ObjectShards)
    return [tuple(file) for file in shards.files()]  # type: ignore[misc]


@pytest.mark.parametrize("format_", inventories.FORMATS)
def test_an_inventory_in_another_bucket_plans_what_a_listing_plans(
    store: Store, secrets: Path, tmp_path: Path, format_: Format
) -> None:
    bucket, lists = f"photos-{format_.lower()}", f"lists-{format_.lower()}"
    store.put(bucket, {name: name.encode() for name in [*NAMES, "out/x.jpg"]} | {"in/.hidden": b"x"})
    listed = list(store.client.list_objects(bucket, recursive=True))
    entries = [Entry(str(it.object_name), it.size, it.etag) for it in reversed(listed)]
    files = [inventories.data_file(format_, bucket, part) for part in (entries[:2], entries[2:])]
    store.put(lists, inventories.objects(format_, bucket, files, "own/daily"))
    access = source_of(store, bucket, inventory=f"s3://{lists}/own/daily")
    by_inventory = planned({"s3": access}, secrets, tmp_path)
    assert sorted(by_inventory) == sorted(planned({"s3": source_of(store, bucket)}, secrets, tmp_path))
    assert [key for key, *_ in by_inventory] == [entry.key for entry in entries if entry.key in NAMES]


def test_an_inventory_that_is_not_there_fails_the_run(store: Store, secrets: Path, tmp_path: Path) -> None:
    store.put("photos-none", {"in/a.jpg": b"x"})
    access = source_of(store, "photos-none", inventory="s3://photos-none/nothing/")
    with pytest.raises(RunFailure, match=r"spec.source.s3.inventory: s3://photos-none/nothing/ has no complete"):
        planned({"s3": access}, secrets, tmp_path)


def test_a_run_reads_the_keys_of_a_list_and_reports_those_that_are_missing(
    store: Store, runner: Runner, tiny: Spec, tmp_path: Path, image: bytes
) -> None:
    store.put("photos-list", dict.fromkeys([*NAMES, "in/other.jpg"], image))
    store.put("photos-list", {"keys.txt": "\n".join([*NAMES, "in/gone.jpg"]).encode()})
    spec = {
        "source": {"s3": source_of(store, "photos-list"), "list": "s3://photos-list/keys.txt"},
        **tiny,
        "output": {"uri": f"file://{tmp_path}/table"},
        "errors": {"maxFailedFraction": 1},
    }
    outcome = runner.run(spec, uid="list")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert sorted(row["key"] for row in tables.rows) == sorted(NAMES)
    assert tables.reasons() == {"in/gone.jpg": ("read", "Missing")}
