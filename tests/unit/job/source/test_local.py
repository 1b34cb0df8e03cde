"""The images that are listed in a folder."""

from __future__ import annotations

import errno
import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from featx_job.failures import RunFailure
from featx_job.local_files import on_this_machine
from featx_job.source import keys
from featx_job.source.local import LocalSource
from featx_job.source.objects import by_key
from featx_job.source.selection import Selection, Skipped, selected
from featx_job.source.shards import split_objects


def test_keys_are_relative_paths_in_byte_order_with_sizes(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/z.jpg", "é.jpg", "a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    objects = list(LocalSource(on_this_machine(tmp_path, "spec.source.files.uri")).objects())
    assert [file.key for file in objects] == ["a.jpg", "a/z.jpg", "b.jpg", "é.jpg"]
    assert [file.size for file in objects] == [5, 7, 5, 6]


@pytest.mark.parametrize("hidden", [False, True])
def test_a_listing_is_in_the_order_of_whole_names_and_goes_on_after_any_of_them(hidden: bool, tmp_path: Path) -> None:
    parts, names = ("a", "a-", "a.jpg", "a0", ".a", "é"), set[str]()
    for first, second, third in itertools.product(parts, parts, parts):
        names |= {f"{first}/{second}/{third}.png", f"{first}/{second}!", f"{first}\x01"}
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / os.fsdecode(b"a\xe9")).write_bytes(b"x")
    (tmp_path / "a" / "a-link").symlink_to("a")
    (tmp_path / "a" / "a-link.png").symlink_to("a!")
    source = LocalSource(on_this_machine(tmp_path, "spec.source.files.uri"))
    listed = list(source.objects(in_hidden_folders=hidden))
    assert listed == by_key(listed)
    if hidden:
        assert len(listed) == len(names) + 3
        assert names <= {keys.to_text(file.key) for file in listed}
    for index, file in enumerate(listed):
        assert list(source.objects(in_hidden_folders=hidden, after=file.key)) == listed[index + 1 :]
    for text in ("a/zzz", "a.jpg/", "a/a", "\\xFF"):
        later = [file for file in listed if keys.to_bytes(file.key) > keys.to_bytes(text)]
        assert list(source.objects(in_hidden_folders=hidden, after=text)) == later


def test_a_name_that_is_not_utf_8_is_listed_and_does_not_fail_the_run(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    (tmp_path / "b.jpg").write_bytes(b"x")
    shards = split_objects("file:///", LocalSource(on_this_machine(tmp_path, "spec.source.files.uri")).objects(), 10)
    assert len(json.loads(shards.line(0))["objects"]) == 2


def test_a_hidden_folder_is_not_opened_unless_its_files_are_needed(tmp_path: Path) -> None:
    for name in ("lost+found", ".git/objects"):
        (tmp_path / name).mkdir(parents=True)
    for name in (".git/objects/a", ".DS_Store", "b.jpg"):
        (tmp_path / name).write_bytes(b"x")
    source = LocalSource(on_this_machine(tmp_path, "spec.source.files.uri"))
    assert [file.key for file in source.objects()] == [".DS_Store", ".git/", "b.jpg", "lost+found/"]
    assert [file.key for file in source.objects(in_hidden_folders=True)] == [".DS_Store", ".git/objects/a", "b.jpg"]


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"a\nb.jpg", rb"\x41.jpg", "größe.jpg".encode(), b" "])
def test_a_file_is_found_by_its_key_whatever_its_name(tmp_path: Path, name: bytes) -> None:
    (tmp_path / os.fsdecode(name)).write_bytes(b"bytes")
    source = LocalSource(on_this_machine(tmp_path, "spec.source.files.uri"))
    (listed,) = source.objects()
    assert source.find(listed.key) == listed
    assert source.read(listed.key) == b"bytes"
    assert listed.key.encode().isascii() or listed.key == "größe.jpg"


@pytest.mark.parametrize("key", ["gone.jpg", "\\x00.jpg", "x" * 5000, "a/../../b", ""])
def test_a_key_without_a_file_finds_nothing(tmp_path: Path, key: str) -> None:
    assert LocalSource(on_this_machine(tmp_path, "spec.source.files.uri")).find(key) is None


def test_links_to_no_file_and_special_files_are_left_out_and_counted(tmp_path: Path) -> None:
    images = tmp_path / "in"
    (images / "train").mkdir(parents=True)
    (images / "train" / "a.jpg").write_bytes(b"bytes")
    (images / "b.jpg").symlink_to("train/a.jpg")
    (images / "again").symlink_to("train")
    (images / "train" / "circle").symlink_to("..")
    (images / "gone.jpg").symlink_to(tmp_path / "nothing")
    (images / "itself.jpg").symlink_to("itself.jpg")
    os.mkfifo(images / "pipe.jpg")
    (images / ".cache").symlink_to("train")
    skipped = Skipped()
    source = LocalSource(on_this_machine(images, "spec.source.files.uri"))
    files = list(selected(source.objects(), Selection(include=("*.jpg",)), skipped))
    assert [file.key for file in files] == ["b.jpg", "train/a.jpg"]
    assert dict(skipped.counts) == {"notFile": 5, "hidden": 1}


def test_a_source_of_links_to_folders_says_how_to_read_them(tmp_path: Path) -> None:
    images = tmp_path / "in"
    images.mkdir()
    (images / "train").symlink_to(tmp_path)
    skipped = Skipped()
    source = LocalSource(on_this_machine(images, "spec.source.files.uri"))
    assert list(selected(source.objects(), Selection(), skipped)) == []
    message = str(skipped.to_failure(source.field, source.address))
    assert "(links to folders or to nothing, and special files: 1); name the folder that a link leads to" in message


def test_a_link_to_a_file_that_may_not_be_opened_is_an_image_that_its_reader_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "private.jpg").write_bytes(b"x")
    (tmp_path / "link.jpg").symlink_to("private.jpg")
    open_ = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if path == "private.jpg":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return open_(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    source = LocalSource(on_this_machine(tmp_path, "spec.source.files.uri"))
    assert [file.key for file in source.objects()] == ["link.jpg", "private.jpg"]


def test_a_file_that_vanishes_while_its_folder_is_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"x")
    stat, seen = os.stat, list[str]()

    def others_are_deleted(path: str, **options: Any) -> os.stat_result:
        if path in ("a.jpg", "b.jpg") and not seen:
            seen.append(path)
            ({tmp_path / "a.jpg", tmp_path / "b.jpg"} - {tmp_path / path}).pop().unlink()
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", others_are_deleted)
    objects = list(LocalSource(on_this_machine(tmp_path, "spec.source.files.uri")).objects())
    assert [file.key for file in objects] == seen


@pytest.mark.parametrize(
    ("code", "failure"), [(errno.EACCES, "AccessDenied"), (errno.EIO, "SourceNotFound"), (errno.ENOENT, None)]
)
def test_a_folder_that_cannot_be_opened_fails_the_run_unless_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, failure: str | None
) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "a.jpg").write_bytes(b"x")
    open_ = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if path == "private":
            raise OSError(code, os.strerror(code))
        return open_(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    source = LocalSource(on_this_machine(tmp_path, "spec.source.files.uri"))
    if failure is None:
        assert [file.key for file in source.objects()] == ["a.jpg"]
        return
    with pytest.raises(RunFailure, match=r"^spec\.source\.files\.uri: .* cannot be listed") as refused:
        list(source.objects())
    assert refused.value.class_ == failure


def test_a_missing_folder_is_reported_with_its_field(tmp_path: Path) -> None:
    with pytest.raises(RunFailure, match=r"^spec\.source\.files\.uri: .*nowhere") as refused:
        LocalSource(on_this_machine(tmp_path / "nowhere", "spec.source.files.uri"))
    assert (refused.value.class_, refused.value.retryable) == ("SourceNotFound", False)
    assert "%XX" not in str(refused.value)
    (tmp_path / "my photos").mkdir()
    with pytest.raises(RunFailure, match=r"my%20photos not found; addresses are not decoded"):
        LocalSource(on_this_machine(tmp_path / "my%20photos", "spec.source.files.uri"))
