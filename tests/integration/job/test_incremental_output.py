"""`output.mode: incremental` updates an existing Delta table: rows of changed images are replaced, all others stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as arrow
import pytest
from featx_api.contract import Outcome
from featx_api.executor_contract import ReplacementResult, ReplacementTask
from featx_job.spark.session import Session
from featx_job.table.output import OutputFolders
from featx_job.table.storage.local import LocalStorage

from tests.integration.job import drawings
from tests.integration.job.runs import Rows, Runner, Spec, quarantine_of_folder, rows_of_delta, rows_of_hdfs
from tests.integration.job.store import Store
from tests.support.stores import hdfs

FIRST, SECOND = (drawings.encoded(drawings.scene(seed=seed)) for seed in (1, 2))
NAMES = [f"{number:02}.jpg" for number in range(12)]
CHANGED = ["03.jpg", "04.jpg", "11.jpg"]


class Nightly:
    """Nightly runs of one resource, from one folder into one table."""

    def __init__(self, runner: Runner, tiny: Spec, folder: Path) -> None:
        self._runner, self._tiny = runner, tiny
        self.images, self.table = folder / "images", folder / "table"
        self.images.mkdir()
        for name in NAMES:
            (self.images / name).write_bytes(FIRST)

    def run(self, night: int, **changes: Any) -> Outcome:
        spec = {
            "source": {"files": {"uri": f"file://{self.images}"}},
            **self._tiny,
            "output": {"uri": f"file://{self.table}", "format": "delta", "mode": "incremental"},
            "execution": {"shardImages": 4},
            "errors": {"maxFailedFraction": 1},
        }
        return self._runner.run(spec | changes, f"uid-{night}")

    def rows(self, version: int | None = None) -> dict[str, Any]:
        """Features by key. Fails if a key occurs twice."""
        rows = deltalake.DeltaTable(self.table, version=version).to_pyarrow_table().to_pylist()
        by_key = {row["key"]: row["feature"] for row in rows}
        assert len(by_key) == len(rows)
        return by_key

    @property
    def version(self) -> int:
        return deltalake.DeltaTable(self.table).version()


@pytest.fixture
def nightly(runner: Runner, tiny: Spec, tmp_path: Path) -> Nightly:
    nightly = Nightly(runner, tiny, tmp_path)
    outcome = nightly.run(1)
    assert outcome.failure is None, outcome.failure
    return nightly


def test_changed_rows_are_replaced_new_ones_added_and_all_others_kept(nightly: Nightly) -> None:
    first = nightly.rows()
    assert sorted(first) == NAMES
    for name in [*CHANGED, "new.jpg"]:
        (nightly.images / name).write_bytes(SECOND)
    (nightly.images / "broken.jpg").write_bytes(b"no image")
    outcome = nightly.run(2)
    assert outcome.failure is None, outcome.failure
    assert outcome.progress is not None
    assert outcome.progress.images_total == len(CHANGED) + 2
    second = nightly.rows()
    assert sorted(second) == [*NAMES, "new.jpg"]
    assert {name for name in NAMES if second[name] != first[name]} == set(CHANGED)
    assert second["03.jpg"] == second["new.jpg"]
    assert nightly.version == 2  # created, first night, second night
    assert nightly.rows(version=1) == first  # concurrent readers see the previous night
    assert [table.uri for table in outcome.outputs if table.kind == "quarantine"] == [
        f"file://{nightly.table}/_quarantine/uid-2"
    ]
    assert [row["key"] for row in quarantine_of_folder(nightly.table, "uid-2")] == ["broken.jpg"]


def test_a_night_without_changes_leaves_the_table_unchanged(nightly: Nightly) -> None:
    version = nightly.version
    outcome = nightly.run(2)
    assert outcome.failure is None, outcome.failure
    assert nightly.version == version


def test_files_whose_rows_are_all_replaced_leave_the_table(nightly: Nightly) -> None:
    before = set(deltalake.DeltaTable(nightly.table).file_uris())
    for name in NAMES:
        (nightly.images / name).write_bytes(SECOND)
    assert nightly.run(2).failure is None
    after = deltalake.DeltaTable(nightly.table)
    assert not before & set(after.file_uris())
    assert after.count() == len(NAMES)  # from the log alone


def test_a_table_compacted_by_another_writer_can_be_updated(nightly: Nightly) -> None:
    deltalake.DeltaTable(nightly.table).optimize.compact()
    assert len(deltalake.DeltaTable(nightly.table).file_uris()) == 1
    (nightly.images / CHANGED[0]).write_bytes(SECOND)
    assert nightly.run(2).failure is None
    assert sorted(nightly.rows()) == NAMES


def test_an_update_overtaken_by_another_writer_is_recomputed(nightly: Nightly, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Session.replace
    calls: list[int] = []

    def overtaken(self: Session, tasks: list[ReplacementTask], folders: OutputFolders) -> list[ReplacementResult]:
        results = replace(self, tasks, folders)
        if not calls:
            deltalake.DeltaTable(nightly.table).delete("key = '05.jpg'")
        calls.append(len(tasks))
        return results

    monkeypatch.setattr(Session, "replace", overtaken)
    (nightly.images / "04.jpg").write_bytes(SECOND)
    assert nightly.run(2).failure is None
    assert len(calls) == 2
    assert sorted(nightly.rows()) == [name for name in NAMES if name != "05.jpg"]
    log = {Path(uri).name for uri in deltalake.DeltaTable(nightly.table).file_uris()}
    last = json.loads((nightly.table / "_manifest.json").read_text())["files"]
    assert {file["path"] for file in last} <= log


def test_a_first_run_overtaken_by_another_writers_rows_replaces_those_it_has_itself(
    runner: Runner, tiny: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly, create = Nightly(runner, tiny, tmp_path), LocalStorage.create

    def overtaken(self: LocalStorage, path: str, data: bytes) -> bool:
        if path.endswith("2.json") and nightly.version == 1:  # after the first group of shards
            row = deltalake.DeltaTable(nightly.table).to_pyarrow_table().slice(0, 1)
            rows = arrow.concat_tables(
                row.set_column(0, row.schema.field("key"), [[key]]) for key in ("11.jpg", "z.jpg")
            )
            deltalake.write_deltalake(nightly.table, rows, mode="append")
        return create(self, path, data)

    monkeypatch.setattr(LocalStorage, "create", overtaken)
    outcome = nightly.run(1, execution={"shardImages": 1})
    assert outcome.failure is None, outcome.failure
    rows = nightly.rows()
    assert sorted(rows) == [*NAMES, "z.jpg"]
    assert nightly.version == 3  # created, first group, the other writer's rows, the rest


def test_a_committed_but_unreported_update_is_not_repeated(nightly: Nightly) -> None:
    (nightly.images / CHANGED[0]).write_bytes(SECOND)
    assert nightly.run(2).failure is None
    rows, version = nightly.rows(), nightly.version
    (nightly.table / "_featx" / "uid-2" / "manifest.json").unlink()
    assert nightly.run(2).failure is None
    assert (nightly.rows(), nightly.version) == (rows, version)


def test_only_the_listed_keys_are_processed_again(nightly: Nightly) -> None:
    first = nightly.rows()
    (nightly.images / CHANGED[0]).write_bytes(SECOND)
    (nightly.images / CHANGED[1]).write_bytes(SECOND)
    source = {"files": {"uri": f"file://{nightly.images}"}, "keys": [CHANGED[0], NAMES[0]]}
    assert nightly.run(2, source=source).failure is None
    rows = nightly.rows()
    assert {name for name in NAMES if rows[name] != first[name]} == {CHANGED[0]}


def test_a_checkpoint_is_written_at_least_every_ten_commits(nightly: Nightly) -> None:
    for night in range(2, 12):
        (nightly.images / CHANGED[0]).write_bytes(SECOND if night % 2 else FIRST)
        assert nightly.run(night).failure is None
    last = json.loads((nightly.table / "_delta_log" / "_last_checkpoint").read_text())["version"]
    assert 0 <= nightly.version - last < 10 <= nightly.version
    assert sorted(nightly.rows()) == NAMES


@pytest.mark.parametrize(
    ("setting", "reason"), [("delta.appendOnly", "append-only"), ("delta.enableChangeDataFeed", "version 4")]
)
def test_a_table_with_unsupported_properties_is_refused(nightly: Nightly, setting: str, reason: str) -> None:
    deltalake.DeltaTable(nightly.table).alter.set_table_properties({setting: "true"})
    outcome = nightly.run(2)
    assert outcome.failure is not None
    assert outcome.failure.class_ == "OutputExists"
    assert reason in outcome.failure.message


def test_rows_from_different_nets_are_not_mixed_in_one_table(nightly: Nightly, tiny: Spec) -> None:
    outcome = nightly.run(2, extractor={**tiny["extractor"], "binarize": {"method": "fixed", "threshold": 0.5}})
    assert outcome.failure is not None
    assert outcome.failure.class_ == "OutputExists"
    assert "spec.extractor" in outcome.failure.message and "tests/catalog" in outcome.failure.message


def test_a_table_in_a_bucket_is_updated(runner: Runner, store: Store, tiny: Spec) -> None:
    store.put("nightly", {f"images/{name}": FIRST for name in "abc"})
    access = {"endpoint": store.endpoint, "secretRef": {"name": "store"}}
    source = {"s3": {**access, "bucket": "nightly", "prefix": "images/"}}

    def run(night: int) -> Rows:
        output = {"uri": "s3://nightly/table", "format": "delta", "mode": "incremental"}
        spec = {"source": source, **tiny, "output": output, "execution": {"shardImages": 2}}
        outcome = runner.run(spec, f"uid-{night}")
        assert outcome.failure is None, outcome.failure
        return rows_of_delta(store, "s3://nightly/table")

    first = run(1)
    store.put("nightly", {"images/b": SECOND, "images/d": SECOND})
    second = run(2)
    assert [row["key"] for row in second] == [f"images/{name}" for name in "abcd"]
    assert [row["feature"] for row in second[:3:2]] == [row["feature"] for row in first[::2]]
    assert second[1]["feature"] == second[3]["feature"] != first[1]["feature"]


def test_a_table_in_hdfs_is_updated(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    (tmp_path / "hdfs").mkdir()
    with hdfs.running(tmp_path / "hdfs") as server:
        for name in "abc":
            server.put(f"/images/{name}", FIRST)

        def run(night: int) -> Rows:
            output = {"uri": f"{server.uri}/table", "format": "delta", "mode": "incremental"}
            source = {"files": {"uri": f"{server.uri}/images"}}
            spec = {"source": source, **tiny, "output": output, "execution": {"shardImages": 2}}
            outcome = runner.run(spec, f"uid-{night}")
            assert outcome.failure is None, outcome.failure
            return rows_of_hdfs(server, "/table").rows

        first = run(1)
        for name in "bd":
            server.put(f"/images/{name}", SECOND)
        second = run(2)
    assert [row["key"] for row in second] == list("abcd")
    assert second[1]["feature"] == second[3]["feature"] != first[1]["feature"]
