"""A bucket that is listed folder by folder has the keys that it has, and is not asked more than need be."""

from __future__ import annotations

from featx_job.sources import Listed, listing
from featx_job.sources.listing import Page
from hypothesis import given
from hypothesis import strategies as st

parts = st.lists(st.sampled_from(["a", "b", "c", "é"]), min_size=1, max_size=5)
keys = st.sets(parts.map("/".join), max_size=60)


class Bucket:
    """Keys, and how often they were asked for."""

    def __init__(self, keys: set[str]) -> None:
        self.keys, self.pages, self.listings = sorted(keys), 0, 0

    def page(self, prefix: str) -> Page:
        self.pages += 1
        objects: list[Listed] = []
        folders: list[str] = []
        for key in (key for key in self.keys if key.startswith(prefix)):
            name, slash, _ = key.removeprefix(prefix).partition("/")
            if slash:
                folders.append(f"{prefix}{name}/")
            else:
                objects.append(Listed(key, 1))
        both = [*objects, *dict.fromkeys(folders)][: listing.PAGE]
        return Page(
            [each for each in both if isinstance(each, Listed)], [each for each in both if isinstance(each, str)]
        )

    def below(self, prefix: str) -> list[Listed]:
        self.listings += 1
        return [Listed(key, 1) for key in self.keys if key.startswith(prefix)]

    def listed(self, prefix: str = "") -> list[str]:
        return sorted(each.key for each in listing.everything(self.page, self.below, prefix))


@given(keys, st.sampled_from(["", "a", "a/", "a/b"]))
def test_all_keys_below_a_prefix_are_listed_once(keys: set[str], prefix: str) -> None:
    assert Bucket(keys).listed(prefix) == sorted(key for key in keys if key.startswith(prefix))


def test_marks_of_folders_are_no_pictures() -> None:
    assert Bucket({"shop/", "shop/a.jpg", "shop/b/"}).listed() == ["shop/a.jpg"]


def test_a_flat_bucket_is_listed_straight_on() -> None:
    bucket = Bucket({f"{number:05}.jpg" for number in range(3 * listing.PAGE)})
    assert len(bucket.listed()) == 3 * listing.PAGE
    assert (bucket.pages, bucket.listings) == (1, 1)


def test_folders_are_listed_side_by_side() -> None:
    bucket = Bucket({f"shop/{day:02}/{number}.jpg" for day in range(90) for number in range(2)})
    assert len(bucket.listed("shop/")) == 180
    assert (bucket.pages, bucket.listings) == (1, 90)


def test_a_folder_of_more_folders_than_an_answer_shows_is_listed_whole() -> None:
    bucket = Bucket({f"shop/{number:05}/front.jpg" for number in range(2 * listing.PAGE)})
    assert len(bucket.listed("shop/")) == 2 * listing.PAGE
    assert (bucket.pages, bucket.listings) == (1, 1)
