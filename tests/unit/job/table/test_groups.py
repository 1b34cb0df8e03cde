"""Consecutive shards share a file, whatever the order in which they end."""

from __future__ import annotations

import random

from featx_job.table.groups import FILE_BYTES, Groups
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.job.table.test_delta_publisher import shard


@given(st.lists(st.tuples(st.integers(0, 300_000_000), st.integers(0, 400)), max_size=60), st.randoms())
def test_each_shard_is_in_one_group_whatever_the_order_of_their_ends(
    sizes: list[tuple[int, int]], chance: random.Random
) -> None:
    shards = [
        shard(index).model_copy(update={"bytes": size, "features": rows}) for index, (size, rows) in enumerate(sizes)
    ]
    groups, taken = Groups(), list[int]()
    for done in chance.sample(shards, len(shards)):
        groups.add(done)
        for group in groups.complete():
            taken += [member.index for member in group.shards]
            assert sum(member.bytes for member in group.shards[:-1]) < FILE_BYTES
            groups.skip_to(group.end)
    for group in groups.complete(last=True):
        taken += [member.index for member in group.shards]
    assert taken == list(range(len(shards)))
