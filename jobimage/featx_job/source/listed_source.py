"""A source whose objects are read from a list: to list a billion of them would take a store a million answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from featx_job.source.objects import ObjectSource, SourceObject

if TYPE_CHECKING:
    import pyarrow

    Batches = Callable[[str], Iterator[pyarrow.RecordBatch]]


class ListedSource:
    """`ObjectSource` whose objects are those of a list. Any other question is the store's to answer.

    Objects are yielded in the order of the list, which need not be that of their keys.

    Attributes:
        origin: Address of the list that is read, once that is known. All attempts of a run must read the same.
    """

    def __init__(
        self, store: ObjectSource, field: str, address: str, batches: Batches, newest: Callable[[], str] | None = None
    ) -> None:
        """Use a list.

        Args:
            store: Where the objects are.
            field: Path of the list in the spec.
            address: The list's, as users know it.
            batches: Reads the list at an address from its start: batches of `listed.COLUMNS`. Raises RunFailure.
            newest: Returns the address of the list that is the newest now. Raises RunFailure.
        """
        self._store, self.field, self.address = store, field, address
        self._batches, self._newest = batches, newest
        self.origin: str | None = None

    def batches(self) -> Iterator[pyarrow.RecordBatch]:
        """Yield the list's objects as batches of `listed.COLUMNS`. Raises RunFailure."""
        if self.origin is None:
            self.origin = self._newest() if self._newest else self.address
        return self._batches(self.origin)

    @property
    def base(self) -> str:
        """Implements `ObjectSource`."""
        return self._store.base

    @property
    def root(self) -> str:
        """Implements `ObjectSource`."""
        return self._store.root

    def objects(self, *, in_hidden_folders: bool = False, after: str = "") -> Iterator[SourceObject]:
        """Implements `ObjectSource`, but for the order, so that `after` must be empty."""
        assert not after
        for batch in self.batches():
            yield from map(SourceObject, *(column.to_pylist() for column in batch.columns))

    def find(self, key: str) -> SourceObject | None:
        """Implements `ObjectSource`."""
        return self._store.find(key)
