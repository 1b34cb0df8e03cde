"""The columns of both tables: a part of the contract of driver and executors."""

from __future__ import annotations

from typing import Final, Literal

from featx_api.document import Document


class Column(Document):
    """A column of a table."""

    name: str
    type: Literal["string", "float", "integer", "boolean", "binary", "floats"]
    nullable: bool


#: Columns of the table of features.
FEATURE_COLUMNS: Final = (
    Column(name="key", type="string", nullable=False),
    Column(name="x0", type="float", nullable=False),
    Column(name="y0", type="float", nullable=False),
    Column(name="x1", type="float", nullable=False),
    Column(name="y1", type="float", nullable=False),
    Column(name="score", type="float", nullable=True),
    Column(name="class", type="integer", nullable=True),
    Column(name="feature", type="floats", nullable=False),
    Column(name="bits", type="binary", nullable=True),
    Column(name="width", type="integer", nullable=False),
    Column(name="height", type="integer", nullable=False),
)
#: A further column of a table that keeps damaged images: whether only a part of the image was decoded.
DAMAGED_COLUMN: Final = Column(name="damaged", type="boolean", nullable=True)
#: Columns of the quarantine.
QUARANTINE_COLUMNS: Final = tuple(
    Column(name=name, type="string", nullable=False) for name in ("key", "stage", "reason", "message")
)


class Columns(Document):
    """The columns of both tables."""

    features: tuple[Column, ...] = FEATURE_COLUMNS
    damaged: Column = DAMAGED_COLUMN
    quarantine: tuple[Column, ...] = QUARANTINE_COLUMNS
