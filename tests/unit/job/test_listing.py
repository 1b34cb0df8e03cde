"""A large source is listed while the run works; what is listed stays, whatever ends the attempt."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from featx_api.failures import FailureClass
from featx_job.failures import RunFailure
from featx_job.listing import Listing
from featx_job.local_files import on_this_machine
from featx_job.source import piece_tables, pieces
from featx_job.source.objects import SourceObject
from featx_job.source.pieces import PIECE_OBJECTS, Pieces
from featx_job.source.selection import Selection, Skipped, selected
from featx_job.table.run_lists import RunLists
from featx_job.table.storage.local import LocalStorage

BASE = "s3a://images/"


def lists(folder: Path) -> RunLists:
    return RunLists(LocalStorage(on_this_machine(folder, "spec.output.uri")), "_featx/uid", exclusive=True)


def objects(count: int) -> Iterator[SourceObject]:
    """Yield so many images, each followed by a file that is left out."""
    for index in range(count):
        yield SourceObject(f"{index:08}.jpg", 1)
        yield SourceObject(f"{index:08}.jpg.txt", 1)


def listing(found: Pieces, source: Iterator[SourceObject], skipped: Skipped) -> Listing:
    objects = selected(source, Selection(include=("*.jpg",)), skipped)
    return Listing(found, piece_tables.of_objects(objects, PIECE_OBJECTS), skipped)


def wait_for_end(found: Pieces) -> None:
    for thread in threading.enumerate():
        if thread.name == "listing":
            thread.join(60)
    assert found.complete


def test_the_list_grows_in_the_background_and_counts_what_is_left_out(tmp_path: Path) -> None:
    found = Pieces(lists(tmp_path), BASE)
    listing(found, objects(2 * PIECE_OBJECTS + 7), Skipped()).start()
    wait_for_end(found)
    stored = pieces.load(lists(tmp_path))
    assert stored is not None
    assert len(stored) == 2 * PIECE_OBJECTS + 7
    assert stored.skipped == {"notIncluded": 2 * PIECE_OBJECTS + 7}


def test_a_listing_that_fails_is_continued_by_the_next_attempt_after_its_last_key(tmp_path: Path) -> None:
    def broken() -> Iterator[SourceObject]:
        for number, file in enumerate(objects(2 * PIECE_OBJECTS)):
            if number == 3 * PIECE_OBJECTS:
                raise RunFailure(FailureClass.STORE_UNREACHABLE, "the store does not respond")
            yield file

    first = Pieces(lists(tmp_path), BASE)
    work = listing(first, broken(), Skipped())
    work.start()
    for thread in threading.enumerate():
        if thread.name == "listing":
            thread.join(60)
    with pytest.raises(RunFailure, match="does not respond"):
        work.check()
    again = pieces.resumed(lists(tmp_path), BASE)
    assert again is not None
    assert len(again) == PIECE_OBJECTS
    skipped = Skipped()
    skipped.counts.update(again.skipped)
    rest = (file for file in objects(2 * PIECE_OBJECTS) if file.key > again.last_key())
    listing(again, rest, skipped).start()
    wait_for_end(again)
    assert [file.key for file in again.files()] == [f"{index:08}.jpg" for index in range(2 * PIECE_OBJECTS)]
    assert again.skipped == {"notIncluded": 2 * PIECE_OBJECTS}


def test_two_drivers_that_list_at_the_same_time_do_not_mix_their_lists(tmp_path: Path) -> None:
    first, second = Pieces(lists(tmp_path), BASE), Pieces(lists(tmp_path), BASE)
    first.append(piece_tables.of_all([SourceObject("a", 1)]), {})
    with pytest.raises(RunFailure, match="another driver of this run") as refused:
        second.append(piece_tables.of_all([SourceObject("b", 1)]), {})
    assert (refused.value.class_, refused.value.retryable) == ("OutputBusy", True)


def test_of_two_drivers_the_first_plans_a_stage_for_both(tmp_path: Path) -> None:
    assert lists(tmp_path).add_stage(0, b"first") == b"first"
    assert lists(tmp_path).add_stage(0, b"second") == b"first"
    assert lists(tmp_path).stages() == [b"first"]
