"""A shard list holds every image once, and is the same for every attempt."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from featx_job.failures import RunFailure
from featx_job.source.objects import SourceObject
from featx_job.source.shards import from_bytes, split_objects, to_bytes
from hypothesis import given
from hypothesis import strategies as st

objects = st.lists(st.builds(SourceObject, st.text(min_size=1, max_size=30), st.integers(0, 2**40)), max_size=60)


@given(objects, st.integers(1, 20))
def test_every_image_is_in_one_shard_and_in_order(listed: list[SourceObject], size: int) -> None:
    shards = split_objects("s3a://bucket/", listed, size)
    assert [image for index in range(len(shards)) for image in shards.shard(index)] == listed
    assert all(0 < len(shards.shard(index)) <= size for index in range(len(shards)))


@given(objects, st.integers(1, 20))
def test_a_later_attempt_reads_the_same_list(listed: list[SourceObject], size: int) -> None:
    shards = split_objects("file:///a/", listed, size, {"hidden": 2, "excluded": 1})
    assert from_bytes(to_bytes(shards)) == shards
    assert to_bytes(shards) == to_bytes(split_objects("file:///a/", listed, size, {"excluded": 1, "hidden": 2}))


@given(objects, st.integers(1, 20))
def test_a_line_holds_the_shard_whatever_its_keys_contain(listed: list[SourceObject], size: int) -> None:
    shards = split_objects("s3a://bucket/", listed, size)
    for index in range(len(shards)):
        line = shards.line(index)
        assert "\n" not in line
        assert json.loads(line) == {
            "kind": "objects",
            "index": index,
            "base": "s3a://bucket/",
            "objects": [[image.key, image.size] for image in shards.shard(index)],
        }


@given(objects.filter(bool), st.integers(1, 20))
def test_samples_come_from_the_source_have_at_most_the_requested_size_and_differ_if_possible(
    listed: list[SourceObject], images: int
) -> None:
    first, second = (json.loads(line)["objects"] for line in split_objects("s3a://bucket/", listed, 8).samples(images))
    assert 0 < len(first) <= images
    assert 0 < len(second) <= images
    known = [[image.key, image.size] for image in listed]
    assert all(image in known for image in first + second)
    if len(listed) > 1:
        assert known.count(first[0]) > 1 or first[0] not in second


EARLIER: dict[str, dict[str, Any]] = {  # as versions before `schemaVersion` have stored them
    "objects": {
        "base": "s3a://b/",
        "picturesAShard": 2,
        "objects": [["a.jpg", 5, "tag"], ["b.jpg", 6, ""], ["c", 7, ""]],
    },
    "packed": {
        "base": "file:///in/",
        "groups": [[["a.tar", 5, "1"]], [["b.tar", 6, "2"]]],
        "packed": {"format": "tar", "members": "*.{jpg,JPG}", "nameColumn": "key", "contentColumn": "image"},
    },
    "packed without columns": {
        "base": "",
        "groups": [[["a.tar", 5, "1"]]] * 2,
        "packed": {"format": "auto"},
        "parts": [],
    },
    "ranges": {"ranges": [[["00", "ff"]], [["ff", ""]]], "base": "t", "planned": 7, "since": 0},
}


@pytest.mark.parametrize("content", EARLIER.values(), ids=EARLIER)
def test_a_run_that_an_earlier_version_has_begun_has_the_same_shards(content: dict[str, Any]) -> None:
    shards = from_bytes(gzip.compress(json.dumps(content).encode()))
    lines = [json.loads(shards.line(index)) for index in range(len(shards))]
    assert [line["index"] for line in lines] == [0, 1]
    if "objects" in content:
        assert [len(line["objects"]) for line in lines] == [2, 1]
    if "groups" in content:
        assert [line["objects"] for line in lines] == [[[*file[:2]] for file in group] for group in content["groups"]]
        assert all(line["packed"]["carry"] == line["keys"] == [] and line["part"] == [0, 1] for line in lines)


def test_a_list_of_a_newer_version_is_refused_with_the_way_out() -> None:
    stored = json.loads(gzip.decompress(to_bytes(split_objects("", [], 1))))
    newer = gzip.compress(json.dumps({**stored, "schemaVersion": stored["schemaVersion"] + 1}).encode())
    with pytest.raises(
        RunFailure, match=r"spec\.output\.uri: the shard list .* schema version 2.* reads up to 1"
    ) as raised:
        from_bytes(newer)
    assert raised.value.class_ == "OutputExists"
