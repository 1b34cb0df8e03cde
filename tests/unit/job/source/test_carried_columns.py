"""A column that no file has is a typo; one that some files have is data."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from featx_api.source import Packed
from featx_job.failures import RunFailure
from featx_job.source import carried_columns
from featx_job.source.objects import SourceObject
from featx_job.source.packed_files import group_files


def checked(files: dict[str, list[str] | None], carry: list[str], format_: str = "auto") -> list[tuple[list[str], int]]:
    """Checks files by name, which have columns unless they can't be opened; returns which were read, and how far."""
    packed = Packed.model_validate({"format": format_, "carry": carry})
    shards = group_files("file:///in/", [SourceObject(name, 1) for name in sorted(files)], packed)
    calls: list[tuple[list[str], int]] = []

    def columns(line: str, members: int, most: int) -> str | None:
        names = [name for name, _ in json.loads(line)["objects"]]
        calls.append((names, members))
        lists = [files[name] for name in names]
        found = {column for one in lists for column in one or ()}
        return None if all(one is None for one in lists) else json.dumps(sorted(found))

    carried_columns.check(packed, shards, columns)
    return calls


def refused(files: dict[str, list[str] | None], carry: list[str], format_: str = "auto") -> str:
    with pytest.raises(RunFailure) as thrown:
        checked(files, carry, format_)
    assert thrown.value.class_ == "SourceNotSupported"
    return str(thrown.value)


def test_files_that_are_alike_cost_one_look() -> None:
    files = {f"{number}.parquet": ["image", "label"] for number in range(1000)}
    assert checked(dict(files), ["label"]) == [(["0.parquet"], 100_000)]


def test_a_typo_is_named_with_what_is_near_and_there() -> None:
    message = refused({"a.parquet": ["image", "Label"], "b.parquet": ["image", "split"]}, ["labl", "split"])
    assert message == (
        "spec.source.packed.carry: no file has a column labl (did you mean Label?); the columns there are Label, "
        "image, split; correct the name, or remove it"
    )


def test_a_column_of_the_last_of_many_parquet_files_is_found() -> None:
    files: dict[str, list[str] | None] = {f"{number:04}.parquet": ["image"] for number in range(3000)}
    checked(files | {"9999.parquet": ["image", "label"]}, ["label"])
    assert "no file has a column label; the columns there are image;" in refused(files, ["label"])


def test_of_many_archives_some_are_read_from_all_over_and_no_further_than_the_limit() -> None:
    files: dict[str, list[str] | None] = {f"{number:04}.tar": ["json"] for number in range(3000)}
    calls = checked(files | {"2999.tar": ["json", "cls"]}, ["cls"])
    read = [name for names, _ in calls for name in names]
    assert len(read) == len(set(read)) == 100
    assert {members for _, members in calls} == {1000}
    message = refused(files, ["jsn"])
    assert (
        "as far as they were read, no file has a column jsn (did you mean json?); the columns there are json;"
        in message
    )


def test_files_without_any_column_and_files_that_cannot_be_read() -> None:
    assert "there are no columns" in refused({"a.tar": [], "b.tar": None}, ["json"])
    checked({"a.tar": None, "b.parquet": None}, ["json"])


def test_names_from_files_are_short_printable_and_few() -> None:
    def names() -> Iterator[str]:
        yield from ("\x1b[2J", "x" * 1000)
        yield from (f"column {number:03}" for number in range(500))

    message = refused({"a.parquet": list(names())}, ["label"])
    assert message.isprintable() and len(message) < 1000 and "and 482 more" in message
