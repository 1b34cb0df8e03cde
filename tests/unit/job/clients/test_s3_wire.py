"""The bucket client's requests and parsing, against a scripted server: keys that break libraries."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from featx_job.clients.s3_settings import Credentials
from featx_job.failures import RunFailure
from featx_job.source.s3_listing import everything

from tests.support.scripted_s3 import Answer, Keys, as_go_writes, served

AWKWARD = [
    "shop/\x01bell.jpg",
    "shop//empty.jpg",
    "shop/./dot.jpg",
    "shop/../dots.jpg",
    "shop/100%25 +&.jpg",
    "shop/é.jpg",
    "shop/\\x.jpg",
    "/slash.jpg",
    "shop/deep/a.jpg",
    "shop/new\nline.jpg",
    "shop/carriage\r\tab.jpg",
    "shop/\x7fdelete.jpg",
    "shop/\ufffe.jpg",
    "shop/<&>\"'.jpg",
    "shop/ blank .jpg ",
]


def as_aws_writes(key: str) -> str:
    return key


@pytest.mark.parametrize("raw", [as_go_writes, as_aws_writes])
def test_every_key_that_s3_allows_is_listed(raw: Callable[[str], str]) -> None:
    with served(Keys(AWKWARD, raw)) as bucket:
        assert {stored.key for stored in everything(bucket, "")} == set(AWKWARD)


@pytest.mark.parametrize("name", ["shop/\x01bell.jpg", "shop/2/\x01bell.jpg", "shop/2//empty.jpg", "shop/2/./dot.jpg"])
def test_an_awkward_key_in_a_long_listing_is_preserved(name: str) -> None:
    keys = [name, *(f"shop/2/{number:05}.jpg" for number in range(2500))]
    with served(Keys(keys)) as bucket:
        assert [stored.key for stored in bucket.below("shop/")] == sorted(keys)


def test_listings_that_libraries_misread_are_requested_url_encoded() -> None:
    keys = Keys(["shop/\x01bell.jpg"])
    with served(keys) as bucket:
        assert [stored.key for stored in bucket.below("shop/")] == ["shop/\x01bell.jpg"]
        assert bucket.folder("shop/").objects[0].key == "shop/\x01bell.jpg"
    assert [query.get("encoding-type") for query in keys.queries] == [None, "url", "url"]


def test_folder_markers_are_distinguished_from_empty_objects() -> None:
    with served(Keys(["shop/a/", "shop/b.jpg"])) as bucket:
        assert [stored.key for stored in bucket.below("shop/")] == ["shop/a/", "shop/b.jpg"]


def test_a_key_that_ends_with_a_slash_is_an_image_if_it_has_content() -> None:
    keys = ["shop/a.jpg/", "shop/b/", "shop//", "shop/c/d.jpg"]
    with served(Keys(keys, empty=lambda key: key == "shop/b/")) as bucket:
        assert {stored.key for stored in everything(bucket, "shop/")} == set(keys) - {"shop/b/"}


@pytest.mark.parametrize(
    "name",
    [
        "shop/",  # the folder's own name
        "shop/00500/",  # a folder that has objects
        "shop/00999.jpg/",  # at the end of a page, with objects on the next
        "shop/00500.jpg/",  # like another object
        "shop/00998-a.jpg/",
        "shop/zzz.jpg/",  # the last one
    ],
)
def test_a_key_with_content_that_ends_with_a_slash_is_preserved_in_a_long_listing(name: str) -> None:
    numbered = [f"shop/{number:05}.jpg" for number in range(2500)]
    keys = sorted(
        {name, *numbered, "shop/00500/a.jpg", "shop/00999.jpg/a.jpg", "shop/00998-a.jpg-b", "shop/00998-a.jpg"}
    )
    with served(Keys(keys, empty=lambda _: False)) as bucket:
        assert [stored.key for stored in bucket.below("shop/")] == keys
        assert sorted(stored.key for stored in everything(bucket, "")) == keys


def test_a_prefix_may_end_in_the_middle_of_a_name() -> None:
    keys = [f"shop/{day}-{number:04}.jpg" for day in ("a", "b", "c") for number in range(1500)]
    with served(Keys(keys)) as bucket:
        assert [stored.key for stored in bucket.below("shop/b")] == keys[1500:3000]
        assert [stored.key for stored in bucket.below("shop/b", after=keys[1600])] == keys[1601:3000]


def test_the_next_key_after_a_text_is_asked_for_alone() -> None:
    keys = Keys([f"shop/{number:04}.jpg" for number in range(0, 3000, 2)])
    with served(keys, credentials=Credentials("me", "hunter2")) as bucket:
        assert bucket.next_key("shop/", "shop/0101") == "shop/0102.jpg"
        assert bucket.next_key("shop/", "") == "shop/0000.jpg"
        assert bucket.next_key("shop/", "shop/9") is None
    assert [query["max-keys"] for query in keys.queries] == ["1", "1", "1"]


def test_an_interrupted_listing_resumes_after_the_last_page() -> None:
    keys = Keys([f"shop/{number:05}.jpg" for number in range(2500)])
    broken = iter([False, True, True])  # obstore retries once by itself

    def respond(*request: object) -> Answer:
        return (503, b"") if next(broken, False) else keys(*request)  # type: ignore[arg-type]

    with served(respond) as bucket:
        bucket._patience = 5
        assert [stored.key for stored in bucket.below("shop/")] == keys.keys
    assert keys.queries[1]["start-after"] == "shop/00998.jpg"  # one key is held back until its successor is known


@pytest.mark.parametrize(("status", "stored"), [(200, True), (412, False), (409, False)])
def test_an_object_is_created_once(status: int, stored: bool) -> None:
    conditions: list[str | None] = []

    def respond(method: str, path: str, headers: dict[str, str]) -> Answer:
        conditions.append(headers.get("If-None-Match"))
        return status, b""

    with served(respond) as bucket:
        assert bucket.create("table//_delta_log/0.json", b"{}") is stored
    assert conditions == ["*"]


@pytest.mark.parametrize(
    ("status", "failure"),
    [(501, "OutputNotWritable"), (403, "AccessDenied"), (404, "BucketNotFound"), (503, "StoreUnreachable")],
)
def test_a_refused_create_has_a_failure_class(status: int, failure: str) -> None:
    with served(lambda *_: (status, b"")) as bucket, pytest.raises(RunFailure) as raised:
        bucket.create("table/_delta_log/0.json", b"{}")
    assert raised.value.class_ == failure
