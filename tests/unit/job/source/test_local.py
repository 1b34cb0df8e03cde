"""What a folder of images is taken to hold."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from featx_job.failures import RunFailure
from featx_job.source.local import LocalSource
from featx_job.source.shards import split_objects


def test_keys_are_relative_paths_in_the_order_of_their_bytes_with_sizes(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/z.jpg", "é.jpg", "a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    found = list(LocalSource(tmp_path, "spec.source.files.uri").objects())
    assert [each.key for each in found] == ["a.jpg", "a/z.jpg", "b.jpg", "é.jpg"]
    assert [each.size for each in found] == [5, 7, 5, 6]


def test_a_name_that_is_no_utf_8_is_listed_too_and_does_not_end_the_run(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    (tmp_path / "b.jpg").write_bytes(b"x")
    shards = split_objects("file:///", LocalSource(tmp_path, "spec.source.files.uri").objects(), 10)
    assert len(json.loads(shards.line(0))["objects"]) == 2


def test_a_link_to_nothing_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing")
    assert list(LocalSource(tmp_path, "spec.source.files.uri").objects()) == []


def test_a_folder_that_is_not_there_is_told_by_its_field(tmp_path: Path) -> None:
    with pytest.raises(RunFailure, match=r"^spec\.source\.files\.uri: .*nowhere") as refused:
        LocalSource(tmp_path / "nowhere", "spec.source.files.uri")
    assert (refused.value.class_, refused.value.retryable) == ("SourceNotFound", False)
