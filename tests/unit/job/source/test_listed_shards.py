"""A large source has a list in pieces, and shards that are planned in stages, the same for every attempt."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pyarrow.parquet as pq
import pytest
from featx_job.failures import RunFailure
from featx_job.source import piece_tables, pieces
from featx_job.source.listed_shards import CARRIED_KEYS, MOST_IMAGES, STAGE_SHARDS, ListedShards
from featx_job.source.objects import SourceObject
from featx_job.source.pieces import PIECE_OBJECTS, Pieces
from featx_job.source.shard_list import Work
from hypothesis import given, settings
from hypothesis import strategies as st

UNMEASURED = Work(0.0, 2)


class Folder:
    """`PieceStore` and `StageStore` of a run, in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.stored_stages: list[bytes] = []

    def load(self, name: str) -> bytes | None:
        return self.files.get(name)

    def save(self, name: str, data: bytes) -> None:
        self.files[name] = data

    def uri(self, name: str) -> str:
        return f"s3a://bucket/{name}"

    def stages(self) -> list[bytes]:
        return self.stored_stages

    def add_stage(self, number: int, data: bytes) -> bytes:
        if number == len(self.stored_stages):
            self.stored_stages.append(data)
        return self.stored_stages[number]


def listed(sizes: Sequence[int], piece: int = 100, folder: Folder | None = None) -> tuple[Pieces, Folder]:
    """Return a list of objects, in pieces of so many."""
    folder = folder or Folder()
    found = Pieces(folder, "s3a://images/")
    objects = [SourceObject(f"{index:08}.jpg", size, f"v{index}") for index, size in enumerate(sizes)]
    for start in range(0, len(objects), piece):
        found.append(piece_tables.of_all(objects[start : start + piece]), {"hidden": start})
    found.seal({"hidden": len(objects)})
    return found, folder


def planned(shards: ListedShards, work: Work = UNMEASURED) -> ListedShards:
    while not shards.complete:
        before = len(shards)
        shards.plan(work)
        assert len(shards) > before
    return shards


def keys_of(shards: ListedShards, folder: Folder, index: int) -> list[str]:
    """Return the keys of a shard, as an executor would find them."""
    line = json.loads(shards.line(index))
    if line["kind"] == "objects":
        return [key for key, _ in line["objects"]]
    keys: list[str] = []
    for uri, first, rows in line["spans"]:
        table = pq.read_table(io.BytesIO(folder.files[uri.removeprefix("s3a://bucket/")]))
        keys += table["key"].slice(first, rows).to_pylist()
    return keys


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 5_000_000), max_size=400),
    st.integers(1, 120),
    st.one_of(st.none(), st.integers(1, 300)),
    st.floats(0, 3),
)
def test_every_image_is_in_one_shard_and_in_order(
    sizes: list[int], piece: int, images: int | None, seconds: float
) -> None:
    found, folder = listed(sizes, piece)
    shards = planned(ListedShards(found, folder, images), Work(seconds, 2))
    keys = [key for index in range(len(shards)) for key in keys_of(shards, folder, index)]
    assert keys == [f"{index:08}.jpg" for index in range(len(sizes))]
    assert shards.expected == len(shards)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 400), st.lists(st.floats(0, 3), min_size=1, max_size=5))
def test_a_later_attempt_has_the_same_shards_whatever_it_measures(images: int, seconds: list[float]) -> None:
    found, folder = listed([1] * images)
    first = ListedShards(found, folder)
    for measured in seconds:
        first.plan(Work(measured, 1))
    again = ListedShards(found, folder)
    assert [again.line(index) for index in range(len(again))] == [first.line(index) for index in range(len(first))]
    other = Work(0.001, 7)
    assert planned(again, other).line(len(again) - 1) if images else True
    assert planned(first).expected == len(again)


def test_a_shard_takes_about_a_minute_once_it_is_known_how_long_an_image_takes() -> None:
    found, folder = listed([25_000] * 30_000, PIECE_OBJECTS)
    shards = ListedShards(found, folder)
    shards.plan(UNMEASURED)
    assert (len(shards), shards.complete) == (256, False)
    assert len(keys_of(shards, folder, 0)) == 32
    shards.plan(Work(0.1, 2))
    assert len(keys_of(shards, folder, 256)) == 450
    slow, other = listed([25_000] * 30_000, PIECE_OBJECTS)
    shards = ListedShards(slow, other)
    shards.plan(Work(5.0, 2))
    assert len(keys_of(shards, other, 0)) == 32


def test_the_last_shards_are_small_enough_for_all_cores() -> None:
    found, folder = listed([25_000] * 30_000, PIECE_OBJECTS)
    shards = ListedShards(found, folder)
    shards.plan(Work(0.001, 100))
    assert len(keys_of(shards, folder, 0)) == 37
    assert len(shards) >= 800


def test_large_images_count_as_several() -> None:
    found, folder = listed([25_000] * 10_000 + [20_000_000] * 100, PIECE_OBJECTS)
    shards = planned(ListedShards(found, folder), Work(0.01, 1))
    assert len(keys_of(shards, folder, len(shards) - 1)) < 100 < len(keys_of(shards, folder, 0))


def test_a_stage_has_a_bounded_number_of_shards_and_a_shard_of_images() -> None:
    found, folder = listed([1] * (STAGE_SHARDS + 5), PIECE_OBJECTS)
    shards = ListedShards(found, folder, shard_images=1)
    shards.plan(UNMEASURED)
    assert (len(shards), shards.expected) == (STAGE_SHARDS, STAGE_SHARDS + 5)
    fast = ListedShards(*listed([1] * 200_000, PIECE_OBJECTS))
    fast.plan(Work(1e-9, 1))
    assert max(json.loads(fast.store.stages()[0])["images"]) == MOST_IMAGES


def test_shards_are_planned_while_the_source_is_listed_and_are_full() -> None:
    folder = Folder()
    found = Pieces(folder, "s3a://images/")
    found.append(piece_tables.of_all([SourceObject(f"{index}", 1) for index in range(100)]), {})
    shards = ListedShards(found, folder)
    shards.plan(UNMEASURED)
    assert (len(shards), shards.complete, shards.images) == (3, False, 100)
    shards.plan(UNMEASURED)
    assert len(shards) == 3, "four images wait for others"
    found.append(piece_tables.of_all([SourceObject("last", 1)]), {})
    found.seal({})
    shards.plan(UNMEASURED)
    assert (len(shards), shards.complete, shards.images) == (4, True, 101)
    assert len(keys_of(shards, folder, 3)) == 5


class Failed:
    """A listing whose store has gone."""

    def check(self) -> None:
        raise RunFailure.__new__(RunFailure)

    def stop(self) -> None:
        """Nothing to end."""


def test_a_listing_that_fails_ends_the_attempt() -> None:
    found, folder = listed([1] * 10)
    with pytest.raises(RunFailure):
        ListedShards(found, folder, listing=Failed()).plan(UNMEASURED)


def test_executors_of_large_shards_read_the_list_for_themselves() -> None:
    found, folder = listed([1] * 1000, piece=300)
    shards = planned(ListedShards(found, folder, shard_images=CARRIED_KEYS + 300))
    assert json.loads(shards.line(0)) == {
        "kind": "listed",
        "index": 0,
        "base": "s3a://images/",
        "spans": [
            ["s3a://bucket/piece-000000.parquet", 0, 300],
            ["s3a://bucket/piece-000001.parquet", 0, CARRIED_KEYS],
        ],
    }


def test_samples_come_from_across_the_list_and_differ() -> None:
    found, folder = listed([1] * 1000, piece=100)
    first, second = (json.loads(line)["objects"] for line in ListedShards(found, folder).samples(8))
    assert len(first) == len(second) == 8
    assert not {key for key, _ in first} & {key for key, _ in second}
    assert max(first)[0] > "00000800.jpg"


def test_a_list_that_was_finished_is_read_again_and_one_that_was_not_goes_on() -> None:
    found, folder = listed([5] * 250, piece=100)
    again = pieces.load(folder)
    assert again is not None
    assert (len(again), again.bytes, again.skipped, again.complete) == (250, 1250, {"hidden": 250}, True)
    assert list(again.files()) == list(found.files())
    del folder.files["index.json"], folder.files["piece-000002.parquet"]
    assert pieces.load(folder) is None
    begun = pieces.resumed(folder, "s3a://images/")
    assert begun is not None
    assert (len(begun), begun.bytes, begun.skipped, begun.complete) == (200, 1000, {"hidden": 100}, False)
    assert begun.last_key() == "00000199.jpg"
    assert pieces.resumed(Folder(), "s3a://images/") is None


def test_keys_come_back_as_they_are() -> None:
    folder = Folder()
    found = Pieces(folder, "file:///")
    names = ["a b", "ü/😀", r"\x0A", "'\"", "a\u0301"]
    found.append(piece_tables.of_all([SourceObject(name, 1, "") for name in names]), {})
    assert [file.key for file in found.objects(0, len(names))] == names
