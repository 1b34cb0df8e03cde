"""Images that are new or have changed since earlier runs."""

from __future__ import annotations

import json
import random
from pathlib import Path

from featx_api.source import Packed
from featx_job.local_files import on_this_machine
from featx_job.source import packed_files, piece_tables
from featx_job.source.key_ranges import Range
from featx_job.source.objects import SourceObject, by_key
from featx_job.source.pieces import Pieces
from featx_job.source.shards import RangeShards, StoredShards, split_objects, to_bytes
from featx_job.table import earlier_runs
from featx_job.table.run_lists import RunLists
from featx_job.table.storage.local import LocalStorage
from hypothesis import given
from hypothesis import strategies as st

BASE = "s3a://shop/"


def written(folder: Path, shards: StoredShards, time: str, finished: bool = True) -> None:
    """Write the files that a run leaves beside its table."""
    run = folder / "_featx" / f"uid-{time}"
    run.mkdir(parents=True)
    (run / "shards.json.gz").write_bytes(to_bytes(shards))
    if finished:
        (run / "manifest.json").write_text(json.dumps({"completionTime": time}))


def images(**versions: str) -> StoredShards:
    return split_objects(BASE, [SourceObject(key, 1, version) for key, version in versions.items()], 2)


def known(folder: Path) -> dict[str, str]:
    """The versions of objects that are not to be computed again."""
    found: dict[str, str] = {}
    for version in ("1", "2"):
        objects = [SourceObject(key, 1, version) for key in ("a", "a.tar", "b", "c")]
        new = list(earlier_runs.changed(objects, lists(folder), BASE))
        found.update((file.key, version) for file in objects if file not in new)
    return found


def lists(folder: Path) -> list[earlier_runs.EarlierList]:
    return earlier_runs.shard_lists(LocalStorage(on_this_machine(folder, "spec.source.changedSince")))


def test_of_several_tables_the_newest_counts(tmp_path: Path) -> None:
    written(tmp_path / "z", images(a="1", b="1"), "2026-11-01")
    written(tmp_path / "deep" / "a", images(b="2"), "2026-11-02")
    assert known(tmp_path) == {"a": "1", "b": "2"}


def test_the_address_of_one_table_suffices(tmp_path: Path) -> None:
    written(tmp_path, images(a="1"), "2026-11-01")
    assert known(tmp_path) == {"a": "1"}


def test_a_long_list_in_pieces_counts_like_others(tmp_path: Path) -> None:
    written(tmp_path / "short", images(a="1", b="1"), "2026-11-01")
    written(tmp_path / "long", images(), "2026-11-02")
    run = tmp_path / "long" / "_featx" / "uid-2026-11-02"
    (run / "shards.json.gz").unlink()
    storage = LocalStorage(on_this_machine(tmp_path / "long", "spec.output.uri"))
    pieces = Pieces(RunLists(storage, "_featx/uid-2026-11-02"), BASE)
    pieces.append(piece_tables.of_all([SourceObject("b", 1, "2")]), {})
    pieces.append(piece_tables.of_all([SourceObject("c", 1, "2")]), {})
    pieces.seal({})
    assert known(tmp_path) == {"a": "1", "b": "2", "c": "2"}


def test_an_unfinished_table_does_not_count(tmp_path: Path) -> None:
    written(tmp_path / "half", images(a="1"), "2026-11-01", finished=False)
    assert known(tmp_path) == {}


def test_tables_of_other_sources_do_not_count(tmp_path: Path) -> None:
    written(tmp_path / "other", split_objects("s3a://other/", [SourceObject("a", 1, "1")], 2), "2026-11-01")
    assert known(tmp_path) == {}


def test_without_earlier_tables_everything_is_new(tmp_path: Path) -> None:
    assert known(tmp_path / "nothing") == {}


def test_cells_count_as_new_from_some_minutes_before_the_newest_run_was_planned(tmp_path: Path) -> None:
    for day, base, planned in ((1, "hbase://a", 9_000_000), (2, "hbase://a", 8_000_000), (3, "hbase://b", 10_000_000)):
        written(tmp_path / str(day), RangeShards(((Range(b"", b""),),), base, planned), f"2026-11-0{day}")
    assert earlier_runs.cells_since(lists(tmp_path), "hbase://a") == 9_000_000 - 300_000
    assert earlier_runs.cells_since(lists(tmp_path), "hbase://c") == 0


def test_archives_count_as_wholes(tmp_path: Path) -> None:
    shards = packed_files.group_files(BASE, [SourceObject("a.tar", 9, "1")], Packed(format="tar"))
    written(tmp_path / "archives", shards, "2026-11-01")
    assert known(tmp_path) == {"a.tar": "1"}


def test_new_and_changed_objects_remain_and_those_without_a_version(tmp_path: Path) -> None:
    objects = [
        SourceObject("same", 1, "1"),
        SourceObject("changed", 1, "2"),
        SourceObject("new", 1, "1"),
        SourceObject("unknown", 1),
    ]
    earlier = [
        split_objects(
            BASE, [SourceObject("changed", 1, "1"), SourceObject("same", 1, "1"), SourceObject("unknown", 1)], 2
        )
    ]
    new = earlier_runs.changed(sorted(objects), earlier, BASE)
    assert [file.key for file in new] == ["changed", "new", "unknown"]


names = st.sampled_from([f"{key}{end}" for key in "abcdé" for end in ("", "/x", r"\x01", " ")])
listing = st.dictionaries(names, st.sampled_from("12"))


@given(st.lists(listing, max_size=4), listing, st.randoms())
def test_what_changed_is_the_same_whether_lists_are_in_order_or_not(
    runs: list[dict[str, str]], now: dict[str, str], chance: random.Random
) -> None:
    def objects(versions: dict[str, str]) -> list[SourceObject]:
        return by_key(SourceObject(key, 1, version) for key, version in versions.items())

    expected = {
        key for key, version in now.items() if {k: v for run in runs for k, v in run.items()}.get(key) != version
    }
    earlier = [split_objects(BASE, objects(run), 2) for run in runs]
    assert {file.key for file in earlier_runs.changed(objects(now), earlier, BASE)} == expected
    shuffled = chance.sample(objects(now), len(now))
    assert {file.key for file in earlier_runs.changed(shuffled, earlier, BASE)} == expected
