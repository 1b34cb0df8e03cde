"""A bucket that is listed by ranges has the keys that it has, each once and in order, whatever was guessed."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Generator, Iterator

import pytest
from featx_api.failures import FailureClass
from featx_job.clients.s3_pages import StoredObject
from featx_job.failures import RunFailure
from featx_job.source import s3_ranges
from featx_job.source.s3_listing import in_key_order
from featx_job.source.s3_ranges import RangeListing, UnorderedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.sorted_bucket import SortedBucket, by_bytes, by_folder

PAGE, MOST_WAITING, MOST_NEAR, CONNECTIONS = 10, 12, 6, 4
parts = st.text(alphabet="ab0-.é", min_size=1, max_size=3)
paths = st.lists(parts, min_size=1, max_size=3).map("/".join)
small = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges of two pages of ten keys, so that few keys make many ranges."""
    values = {"PAGE_KEYS": PAGE, "LONG": 2, "RANGE": 2, "CONNECTIONS": CONNECTIONS}
    for name, value in (values | {"MOST_WAITING": MOST_WAITING, "MOST_NEAR": MOST_NEAR}).items():
        monkeypatch.setattr(s3_ranges, name, value)


def listed(bucket: SortedBucket, prefix: str = "", after: str = "") -> list[str]:
    return [stored.key for stored in in_key_order(bucket, prefix, after)]


def names(kind: str, count: int) -> list[str]:
    """Names as cameras, hashes and people make them."""
    draw = random.Random(kind)
    if kind == "digits":
        return [f"img-{number:05}.jpg" for number in range(count)]
    if kind == "unpadded":
        return [f"img-{number}.jpg" for number in range(count)]
    if kind == "uuids":
        return [f"{uuid.UUID(int=draw.getrandbits(128))}.jpg" for _ in range(count)]
    if kind == "crowded":
        return [f"{'m' if number % 9 else 'a'}{draw.getrandbits(40):010x}" for number in range(count)]
    if kind == "times":
        return [f"cam/{2025 + number % 2}-{draw.randrange(12):02}-{number}.jpg" for number in range(count)]
    return ["".join(draw.choices("ab.-zé\U0001f45f\x01", k=draw.randrange(1, 9))) for _ in range(count)]


KINDS = ["digits", "unpadded", "uuids", "crowded", "times", "anything"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_listed_once_and_in_order(kind: str) -> None:
    bucket = SortedBucket(set(names(kind, 3000)), PAGE)
    assert listed(bucket) == bucket.keys
    assert bucket.probes > 0


class AwaitingBucket(SortedBucket):
    """Once a listing is long, it answers when there are as many requests as there are connections."""

    in_flight, together = 0, False

    def pages(self, prefix: str, after: str = "") -> Iterator[list[StoredObject]]:
        for page in super().pages(prefix, after):
            if self.asked > 2:
                with self.answered:
                    self.in_flight += 1
                    self.answered.notify_all()
                    self.answered.wait_for(lambda: self.together or self.in_flight == CONNECTIONS, timeout=10)
                    self.together |= self.in_flight == CONNECTIONS
                    self.in_flight -= 1
            yield page


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_ranges_of_a_flat_bucket_are_listed_side_by_side(kind: str) -> None:
    bucket = AwaitingBucket(set(names(kind, 3000)), PAGE)
    assert listed(bucket) == bucket.keys
    assert bucket.together


@pytest.mark.parametrize("kind", ["digits", "uuids"])
def test_guesses_cost_few_requests_where_names_are_regular(kind: str) -> None:
    bucket = SortedBucket(names(kind, 3000), PAGE)
    assert listed(bucket) == bucket.keys
    assert bucket.asked < 2 * 300
    assert bucket.probes < 300


@given(st.data(), st.sets(paths, max_size=80), st.sampled_from([by_bytes, by_folder]))
@small
def test_the_order_is_that_of_bytes_whatever_the_store_s_is(
    data: st.DataObject, keys: set[str], order: Callable[[str], bytes]
) -> None:
    bucket = SortedBucket(keys, 3, order)
    prefix = data.draw(st.sampled_from(["", "a", "a/", "a-"]))
    wanted = sorted(key for key in keys if key.startswith(prefix))
    assert listed(bucket, prefix) == wanted
    after = data.draw(st.one_of(st.sampled_from(wanted), paths) if wanted else paths)
    assert listed(bucket, prefix, after) == [key for key in wanted if key > after]


@pytest.mark.parametrize("after", ["a.b", "a/b", "a", "a-/c", "b-"])
def test_a_listing_goes_on_where_it_ended_in_a_store_that_keeps_folders(after: str) -> None:
    keys = ["a+", "a-/c", "a.b", "a/b", "a/c", "b-", "b/c"]
    assert listed(SortedBucket(keys, 3, by_folder), after=after) == [key for key in keys if key > after]


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_come_and_go_do_not_move_others(kind: str) -> None:
    draw = random.Random(7)
    mixed = sorted(set(names(kind, 2000)))
    stay, go = mixed[::2], mixed[1::2]

    def change(bucket: SortedBucket) -> None:
        bucket.remove(draw.choice(go))
        bucket.add(draw.choice(mixed) + "+")

    bucket = SortedBucket(mixed, PAGE)
    bucket.change = change
    found = listed(bucket)
    assert found == sorted(set(found))
    assert set(stay) <= set(found)


class Counted(StoredObject):
    """An object of a listing; all that are in memory are counted."""

    alive = most = 0

    def __new__(cls, stored: StoredObject) -> Counted:
        cls.alive += 1
        cls.most = max(cls.most, cls.alive)
        return cls._make(stored)

    def __del__(self) -> None:
        Counted.alive -= 1


class CountedBucket(SortedBucket):
    def pages(self, prefix: str, after: str = "") -> Iterator[list[StoredObject]]:
        for page in super().pages(prefix, after):
            yield [Counted(stored) for stored in page]


def test_a_slow_reader_lets_few_pages_wait() -> None:
    bucket = CountedBucket(names("digits", 5000), PAGE)
    for read, _ in enumerate(RangeListing(bucket, "").pages(), start=1):
        with bucket.answered:  # until there is no more room, or nothing is left
            assert bucket.answered.wait_for(lambda: bucket.asked - read >= MOST_WAITING or read > 400, timeout=10)  # noqa: B023
    in_hand = 2 * CONNECTIONS + 1
    assert MOST_WAITING <= Counted.most / PAGE <= MOST_WAITING + MOST_NEAR + in_hand


def test_a_short_listing_takes_no_more_requests_than_it_has_pages() -> None:
    bucket = SortedBucket(names("digits", 2 * PAGE), PAGE)
    assert listed(bucket) == bucket.keys
    assert (bucket.asked, bucket.probes) == (2, 0)


def test_a_listing_that_is_left_stops() -> None:
    bucket = SortedBucket(names("digits", 5000), PAGE)
    pages = RangeListing(bucket, "").pages()
    assert isinstance(pages, Generator)
    next(pages)
    pages.close()
    assert bucket.asked < 500


def test_a_failure_ends_the_listing() -> None:
    def fail(bucket: SortedBucket) -> None:
        if bucket.asked > 20:
            raise RunFailure(FailureClass.STORE_UNREACHABLE, "gone")

    bucket = SortedBucket(names("digits", 5000), PAGE)
    bucket.change = fail
    with pytest.raises(RunFailure, match="gone"):
        listed(bucket)


def test_a_store_without_an_order_is_refused_rather_than_listed_in_part() -> None:
    class Shuffled(SortedBucket):
        is_ordered = True

        def pages(self, prefix: str, after: str = "") -> Iterator[list[StoredObject]]:
            for page in super().pages(prefix, after):
                yield page if self.is_ordered else page[::-1]

    bucket = Shuffled(names("digits", 5000), PAGE)
    listing = in_key_order(bucket, "")
    next(listing)
    bucket.is_ordered = False
    with pytest.raises(UnorderedError):
        list(listing)
