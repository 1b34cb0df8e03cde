"""The names of files and images: a part of the contract of driver and executors."""

from __future__ import annotations

from pydantic import Field

from featx_api.document import Document
from featx_api.executor_contract import Count, marker_file, part_file


class FileNames(Document):
    """The names of a shard's files."""

    index: Count
    part: str
    marker: str

    @classmethod
    def of(cls, index: int) -> FileNames:
        """Return the names of a shard's files."""
        return cls(index=index, part=part_file(index), marker=marker_file(index))


class HiddenFiles(Document):
    """Names of files, and whether they are hidden or system files, on both sides (featx_job.source.selection)."""

    hidden: tuple[str, ...]
    shown: tuple[str, ...]


class ImageKeys(Document):
    """Names of images and the keys that stand for them, on both sides (featx_job.source.keys)."""

    keys: tuple[tuple[str, str], ...] = Field(description="Name in hexadecimal, and key.")
