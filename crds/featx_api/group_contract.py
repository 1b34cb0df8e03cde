"""What driver and executors agree on about files of the table that hold the rows of several shards."""

from __future__ import annotations

from pydantic import Field

from featx_api.document import Document
from featx_api.executor_contract import Count, KeyRange, Seconds


class GroupTask(Document):
    """Files of consecutive shards that become one file of the table."""

    number: Count = Field(description="Tells the results of tasks apart.")
    folder: str = Field(description="Address of the table's folder.")
    file: str = Field(description="Name of the joined file.")
    rows: tuple[str, ...] = Field(description="Addresses of the shards' files, in the order of their rows.")
    quarantined: tuple[str, ...] = Field(description="Addresses of the shards' quarantine files; may be empty.")
    quarantine_file: str = Field(description="Address of the joined quarantine file; empty without one.")


class GroupResult(Document):
    """A file into which the files of shards were joined."""

    number: Count = Field(description="Of the task.")
    file: str = Field(description="Name of the joined file.")
    rows: Count
    bytes: Count
    sha256: str
    keys: KeyRange
    quarantine_file: str = Field(description="Name of the joined quarantine file; empty without one.")
    quarantined: Count = Field(description="Rows of the joined quarantine file.")
    quarantine_bytes: Count
    quarantine_sha256: str
    seconds: Seconds = Field(description="How long it took to join the files.")
