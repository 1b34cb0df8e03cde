"""The part of Protocol Buffers' wire format that large arrays need: they are read and written without copies.

The protobuf library copies a message's bytes into objects, and those into bytes again: for the half gigabyte of VGG16
the driver would need two gigabytes to read it and four to write it as ONNX. Small messages are left to the library.
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
        number: The field's number in the schema.
        wire: The wire type.
        value: The content, without tag and length.
        whole: Tag, length and content, which the library can parse.
    """

    number: int
    wire: int
    value: memoryview
    whole: memoryview


def fields(message: memoryview) -> Iterator[Field]:
    """Yield a message's fields in file order.

    Raises:
        ValueError: The bytes are not a message, or are truncated.
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
    """Return a field that holds bytes or a message, given in parts."""
    return (_encoded(number << 3 | LENGTH) + _encoded(sum(map(len, parts))), *parts)


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value, at = value | (byte & 0x7F) << shift, at + 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("unterminated varint")


def _encoded(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)
