"""A bucket that is listed folder by folder has the keys that it has, and is not asked more than need be."""

from __future__ import annotations

from collections.abc import Iterator

from featx_job.clients.s3 import FolderPage
from featx_job.clients.s3_pages import StoredObject
from featx_job.source import s3_listing
from hypothesis import given
from hypothesis import strategies as st

parts = st.lists(st.sampled_from(["a", "b", "c", "é"]), min_size=1, max_size=5)
keys = st.sets(parts.map("/".join), max_size=60)


PAGE = 1000


class Bucket:
    """Keys, and how often they were asked for."""

    def __init__(self, keys: set[str], sizes: dict[str, int] | None = None) -> None:
        self.keys, self.asked, self.sizes = sorted(keys), 0, sizes or {}

    def folder(self, prefix: str) -> FolderPage:
        return self._page(prefix, folders=True, after="")

    def below(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        more = True
        while more:
            page = self._page(prefix, folders=False, after=after)
            yield from page.objects
            more, after = page.more, page.objects[-1].key if page.objects else ""

    def _page(self, prefix: str, *, folders: bool, after: str) -> FolderPage:
        self.asked += 1
        entries: dict[str, bool] = {}  # is it a folder?
        for key in self.keys:
            if key.startswith(prefix) and key > after:
                name, slash, _ = key.removeprefix(prefix).partition("/")
                is_folder = folders and bool(slash)
                entries[f"{prefix}{name}/" if is_folder else key] = is_folder
        first = list(entries)[:PAGE]
        objects = [StoredObject(name, self.sizes.get(name, 1), "") for name in first if not entries[name]]
        return FolderPage(objects, [name for name in first if entries[name]], len(first) < len(entries))

    def listed(self, prefix: str = "") -> list[str]:
        return sorted(stored.key for stored in s3_listing.everything(self, prefix))


@given(keys, st.sampled_from(["", "a", "a/", "a/b"]))
def test_all_keys_below_a_prefix_are_listed_once(keys: set[str], prefix: str) -> None:
    assert Bucket(keys).listed(prefix) == sorted(key for key in keys if key.startswith(prefix))


def test_empty_marks_of_folders_are_no_images_but_other_objects_may_have_such_names() -> None:
    keys = {"shop/", "shop/a.jpg", "shop/b/", "shop/c/"}
    assert Bucket(keys, {"shop/": 0, "shop/b/": 0}).listed() == ["shop/a.jpg", "shop/c/"]


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
