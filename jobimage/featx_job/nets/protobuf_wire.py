"""Protocol buffers' wire format, as far as large arrays need it: read and written where they lie.

The protobuf library copies a message's bytes into objects, and those into bytes again: for VGG16's half gigabyte the
driver would need two to read it and four to write it as ONNX. All that is small stays the library's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

Part = bytes | memoryview
Parts = tuple[Part, ...]

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5


class Field(NamedTuple):
    """A field of a message.

    Attributes:
        number: Its number in the schema.
        wire: How it is written.
        value: What it holds, without tag and length.
        whole: All of it, as the library reads it in a message.
    """

    number: int
    wire: int
    value: memoryview
    whole: memoryview


def fields(message: memoryview) -> Iterator[Field]:
    """Yields a message's fields in the order of the file.

    Raises:
        ValueError: It is no message, or cut short.
    """
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            _, end = _varint(message, at)
        elif wire == LENGTH:
            size, at = _varint(message, at)
            end = at + size
        elif wire in (EIGHT_BYTES, FOUR_BYTES):
            end = at + (8 if wire == EIGHT_BYTES else 4)
        else:
            raise ValueError(f"wire type {wire}")
        if number == 0 or end > len(message):
            raise ValueError(f"field {number} ends at {end} of {len(message)}")
        yield Field(number, wire, message[at:end], message[start:end])
        at = end


def field(number: int, parts: Sequence[Part]) -> Parts:
    """Returns a field that holds bytes or a message, given in parts."""
    return (_written(number << 3 | LENGTH) + _written(sum(map(len, parts))), *parts)


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value, at = value | (byte & 0x7F) << shift, at + 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number without an end")


def _written(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
