"""A shard list holds every image once, and is the same for every attempt."""

from __future__ import annotations

import json

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
