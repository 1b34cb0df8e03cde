"""A bucket that is listed folder by folder has the keys that it has, and is not asked more than need be."""

from __future__ import annotations

from featx_job.source import s3_listing
from featx_job.source.objects import SourceObject
from featx_job.source.s3_listing import Page
from hypothesis import given
from hypothesis import strategies as st

parts = st.lists(st.sampled_from(["a", "b", "c", "é"]), min_size=1, max_size=5)
keys = st.sets(parts.map("/".join), max_size=60)


PAGE = 1000


class Bucket:
    """Keys, and how often they were asked for."""

    def __init__(self, keys: set[str]) -> None:
        self.keys, self.asked = sorted(keys), 0

    def ask(self, prefix: str, *, folders: bool, after: str = "") -> Page:
        self.asked += 1
        entries: dict[str, bool] = {}  # is it a folder?
        for key in self.keys:
            if key.startswith(prefix) and key > after:
                name, slash, _ = key.removeprefix(prefix).partition("/")
                is_folder = folders and bool(slash)
                entries[f"{prefix}{name}/" if is_folder else key] = is_folder
        first = list(entries)[:PAGE]
        objects = [SourceObject(each, 1) for each in first if not entries[each]]
        return Page(objects, [each for each in first if entries[each]], len(first) < len(entries))

    def listed(self, prefix: str = "") -> list[str]:
        return sorted(each.key for each in s3_listing.everything(self.ask, prefix))


@given(keys, st.sampled_from(["", "a", "a/", "a/b"]))
def test_all_keys_below_a_prefix_are_listed_once(keys: set[str], prefix: str) -> None:
    assert Bucket(keys).listed(prefix) == sorted(key for key in keys if key.startswith(prefix))


def test_marks_of_folders_are_no_images() -> None:
    assert Bucket({"shop/", "shop/a.jpg", "shop/b/"}).listed() == ["shop/a.jpg"]


def test_a_flat_bucket_is_listed_straight_on() -> None:
    bucket = Bucket({f"{number:05}.jpg" for number in range(3 * PAGE)})
    assert len(bucket.listed()) == 3 * PAGE
    assert bucket.asked == 3


def test_folders_are_listed_side_by_side() -> None:
    bucket = Bucket({f"shop/{day:02}/{number}.jpg" for day in range(90) for number in range(2)})
    assert len(bucket.listed("shop/")) == 180
    assert bucket.asked == 1 + 90


def test_a_folder_of_more_folders_than_an_answer_shows_is_listed_whole() -> None:
    bucket = Bucket({f"shop/{number:05}/front.jpg" for number in range(2 * PAGE)})
    assert len(bucket.listed("shop/")) == 2 * PAGE
    assert bucket.asked == 1 + 2
