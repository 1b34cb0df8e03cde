"""Hidden and system files are left out by one rule, globs select among the others, and all of it is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from featx_api.name_contract import HiddenFiles
from featx_job.source.objects import SourceObject, by_key
from featx_job.source.selection import Selection, Skipped, ending, is_hidden, selected
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[4] / "jobimage/contract/golden/hidden-files.json"
HIDDEN = [
    *(".DS_Store", "a/._b.jpg", ".git/objects/ab/cd", "x/.thumbnails/b.jpg", "Thumbs.db", "x/THUMBS.DB", "desktop.ini"),
    *("__MACOSX/a/b.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/a.jpg", "$RECYCLE.BIN/a.jpg", "lost+found/"),
    *("Icon\\x0D", "_SUCCESS", "t/_temporary/0/a.jpg", "t/_delta_log/0.json", "_spark_metadata/0", "_featx/u/shards"),
    *("_committed_12", "_started_12", "photos_$folder$", "System Volume Information/x", "_common_metadata"),
]
SEEN = [
    *("a.jpg", "_DSC0001.jpg", "_MG_1.CR2", "a/..jpg.jpg"[:2] + "b..jpg", "x/./a.jpg", "x/../a.jpg", "thumbs.db.jpg"),
    *("success/_SUCCESSFUL.jpg", "lost+found.jpg", "a_$folder$b.jpg", "git/a.jpg", "icon.jpg", "_metadata_1.jpg"),
]


@pytest.mark.parametrize("key", HIDDEN)
def test_hidden_and_system_files_are_left_out(key: str) -> None:
    assert is_hidden(key)
    assert Selection().cause(SourceObject(key, 1)) == "hidden"


@pytest.mark.parametrize("key", SEEN)
def test_other_names_are_not_taken_for_hidden_ones(key: str) -> None:
    assert not is_hidden(key)


def test_names_are_hidden_as_in_the_golden_file_which_javas_tests_read_too() -> None:
    names = HiddenFiles.from_json(GOLDEN.read_text())
    assert [name for name in names.hidden if not is_hidden(name)] == []
    assert [name for name in names.shown if is_hidden(name)] == []


def chosen(keys: list[str], **selection: Any) -> tuple[list[str], dict[str, int]]:
    """The selected keys, and the counts of the others."""
    skipped = Skipped()
    files = by_key(SourceObject(key, 1) for key in keys)
    return [file.key for file in selected(files, Selection(**selection), skipped)], dict(skipped.counts)


def test_files_are_selected_by_globs_and_counted_by_cause() -> None:
    keys = ["a.jpg", "b.PNG", "c.txt", "drafts/d.jpg", "thumbs.db"]
    assert chosen(keys, include=("*.{jpg,png}",), exclude=("drafts/",)) == (
        ["a.jpg", "b.PNG"],
        {"notIncluded": 1, "excluded": 1, "hidden": 1},
    )


def test_a_hidden_folder_counts_once_whether_or_not_it_is_listed() -> None:
    assert chosen([".git/a", ".git/b/c", "x/.git/a", ".DS_Store", "a.jpg"]) == (["a.jpg"], {"hidden": 3})
    assert chosen([".git/", "x/.git/", ".DS_Store", "a.jpg"]) == (["a.jpg"], {"hidden": 3})


def test_only_a_glob_that_names_a_hidden_file_lets_it_in() -> None:
    keys = [".thumbs/a.jpg", ".thumbs/b.txt", ".other/a.jpg", "a.jpg"]
    assert chosen(keys, include=("**/*.jpg",))[0] == ["a.jpg"]
    assert chosen(keys, include=("/.thumbs/*.jpg", "*.jpg"))[0] == [".thumbs/a.jpg", "a.jpg"]
    assert chosen(["_SUCCESS", ".x"], include=("_SUCCESS",)) == (["_SUCCESS"], {"hidden": 1})
    assert Selection(("*.jpg",)).opens_hidden_folders is False
    assert Selection(("/.thumbs/*.jpg",)).opens_hidden_folders is True


def test_a_bucket_s_keys_are_matched_below_the_folder_of_its_prefix() -> None:
    keys = [".shop/2024/a.jpg", ".shop/2024/b.txt", ".shop/2025/a.jpg"]
    assert chosen(keys, include=("2024/*.jpg",), root=".shop/") == ([".shop/2024/a.jpg"], {"notIncluded": 2})


@given(st.lists(st.sampled_from([*HIDDEN, *SEEN]), unique=True))
def test_every_file_is_selected_or_counted(keys: list[str]) -> None:
    files, counts = chosen(keys, include=("*.jpg",), exclude=("icon*",))
    folders = {key.split("/")[0] for key in keys}
    assert len(files) + sum(counts.values()) <= len(keys)
    assert len(files) + sum(counts.values()) >= len(folders) - 1 or len(keys) == 0


def test_a_source_of_which_nothing_is_left_says_what_it_holds() -> None:
    skipped = Skipped()
    keys = [*(f"{number}.PNG" for number in range(1200)), *(f"{number}.txt" for number in range(3)), "readme", ".git/x"]
    keys += [f"a.e{number}" for number in range(20)]
    assert list(selected((SourceObject(key, 1) for key in keys), Selection(("*.jpg",)), skipped)) == []
    failure = skipped.to_failure("spec.source.s3", "s3://shop/images/")
    assert (failure.class_, failure.retryable) == ("SourceEmpty", False)
    message = str(failure)
    assert message.startswith(
        "spec.source.s3: no file of s3://shop/images/ is selected (hidden and system files: 1, matching no glob of "
        "spec.source.include: 1,224); the commonest endings there are .png (1,200), .txt (3), no ending (1), "
        ".e0 (1), .e1 (1)"
    )
    assert message.count(" .e") == 7


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a/b.JPG", ".jpg"),
        ("a.b/c", "no ending"),
        (".DS_Store", ".DS_Store"),
        ("a." + "x" * 100, "." + "x" * 14 + "…"),
        ("a.\u202egpj", ".\ufffdgpj"),
        (".git/", ".git"),
    ],
)
def test_endings_are_short_and_printable(key: str, expected: str) -> None:
    assert ending(key) == expected
