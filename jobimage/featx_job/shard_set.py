"""Which shards of a run are done: a byte per shard, however many images it has. Pure."""

from __future__ import annotations


class ShardSet:
    """Indices of shards, each at most once."""

    def __init__(self) -> None:
        """Begin without any."""
        self._done = bytearray()
        self._count = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return self._count > 0

    def __contains__(self, index: int) -> bool:
        """Return whether a shard is among them."""
        return index < len(self._done) and self._done[index] == 1

    def add(self, index: int) -> bool:
        """Add a shard; return whether it is new."""
        if index in self:
            return False
        if index >= len(self._done):
            self._done.extend(bytes(max(index + 1, 2 * len(self._done)) - len(self._done)))
        self._done[index] = 1
        self._count += 1
        return True
