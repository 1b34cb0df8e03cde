"""AVIF files whose image is derived from others: grids, overlays, and what attackers make of them (ISO 23008-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple


class Item(NamedTuple):
    """An item, derived from others by their numbers; number 1 is the coded image, and further ones count from 2."""

    kind: bytes
    content: bytes
    parts: list[int]


def grid(rows: int, columns: int, width: int, height: int, parts: list[int]) -> Item:
    """A grid of tiles."""
    return Item(b"grid", struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height), parts)


def overlay(width: int, height: int, parts: list[int]) -> Item:
    """Images on a canvas."""
    return Item(b"iovl", struct.pack(">BB4HII", 0, 1, 0, 0, 0, 0, width, height) + bytes(8 * len(parts)), parts)


def identity(part: int) -> Item:
    """An image that shows another one."""
    return Item(b"iden", b"", [part])


def derived(avif: bytes, items: list[Item], size: tuple[int, int]) -> bytes:
    """An AVIF whose image is the last item, and is said to have a size."""
    boxes = dict(_boxes(avif, 0))
    meta = dict(_boxes(boxes[b"meta"], 4))
    properties = dict(_boxes(meta[b"iprp"], 0))
    container = properties[b"ipco"] + _box(b"ispe", struct.pack(">4xII", *size))
    own = properties[b"ipma"][10:]  # of item 1: the number of its properties, and each
    last, claimed = 1 + len(items), len(list(_boxes(container, 0)))
    associations = struct.pack(">4xIH", 2, 1) + own + struct.pack(">HBB", last, 1, claimed)
    entries = meta[b"iinf"][6:]
    references = b""
    for number, item in enumerate(items, 2):
        entries += _box(b"infe", struct.pack(">BxxxHH4sx", 2, number, 0, item.kind))
        references += _box(b"dimg", struct.pack(f">HH{len(item.parts)}H", number, len(item.parts), *item.parts))

    def described(start: int) -> bytes:
        places = struct.pack(">HHHHII", 1, 0, 0, 1, start, len(boxes[b"mdat"]))
        at = 0
        for number, item in enumerate(items, 2):
            places += struct.pack(">HHHHII", number, 1, 0, 1, at, len(item.content))
            at += len(item.content)
        parts = {
            b"hdlr": meta[b"hdlr"],
            b"pitm": struct.pack(">4xH", last),
            b"iloc": struct.pack(">BxxxHH", 1, 0x4400, last) + places,
            b"iinf": struct.pack(">4xH", last) + entries,
            b"iref": bytes(4) + references,
            b"iprp": _box(b"ipco", container) + _box(b"ipma", associations),
            b"idat": b"".join(item.content for item in items),
        }
        return _box(b"meta", bytes(4) + b"".join(_box(name, content) for name, content in parts.items()))

    start = _box(b"ftyp", boxes[b"ftyp"])
    return start + described(len(start) + len(described(0)) + 8) + _box(b"mdat", boxes[b"mdat"])


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def with_extents(image: bytes, count: int, length: int) -> bytes:
    """The same file, whose image is said to be in so many parts, each from the start of the file."""
    places = (
        struct.pack(">BxxxHH", 0, 0x4400, 1) + struct.pack(">HHH", 1, 0, count) + struct.pack(">II", 0, length) * count
    )
    boxes = dict(_boxes(image, 0))
    meta = dict(_boxes(boxes[b"meta"], 4)) | {b"iloc": places}
    boxes[b"meta"] = bytes(4) + b"".join(_box(name, content) for name, content in meta.items())
    return b"".join(_box(name, content) for name, content in boxes.items())


def _boxes(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + length]
        at += length
