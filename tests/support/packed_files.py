"""Files that hold many images, as tools other than Featx's own write them."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence

Value = bytes | int | float


def tar(
    members: Mapping[str, bytes],
    links: Mapping[str, tuple[str, bytes]] | None = None,
    mode: str = "w",
    format_: int = tarfile.PAX_FORMAT,
) -> bytes:
    """A tar archive.

    Args:
        members: Content by name.
        links: Target and kind (tarfile.LNKTYPE or SYMTYPE) by name, after the members.
        mode: Of tarfile, such as `w:gz`.
        format_: Of tarfile.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=format_) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, (target, kind) in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return buffer.getvalue()


def zipped(members: Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive, which may have several members of one name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return buffer.getvalue()


def zipped_bytes(members: Sequence[tuple[bytes, bytes, bool]], data: bytes) -> bytes:
    """A zip archive whose names are any bytes.

    Args:
        members: Name, extra field of the directory, and whether the name is marked as UTF-8.
        data: Content of all members, which are stored uncompressed.
    """
    file, directory = b"", b""
    for name, extra, utf8 in members:
        fields = struct.pack("<HHHHHIII", 20, utf8 << 11, 0, 0, 0x21, zlib.crc32(data), len(data), len(data))
        directory += b"PK\1\2" + struct.pack("<H", 20) + fields
        directory += struct.pack("<HHHHHII", len(name), len(extra), 0, 0, 0, 0, len(file)) + name + extra
        file += b"PK\3\4" + fields + struct.pack("<HH", len(name), 0) + name + data
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(file), 0)
    return file + directory + b"PK\5\6" + end


def unicode_path(name: bytes, text: str) -> bytes:
    """Info-ZIP's extra field with the name in UTF-8 of a member of another name."""
    field = struct.pack("<BI", 1, zlib.crc32(name)) + text.encode()
    return struct.pack("<HH", 0x7075, len(field)) + field


def example(features: Mapping[str, Sequence[Value]]) -> bytes:
    """A serialized tf.train.Example."""
    entries = b""
    for name, values in features.items():
        entries += _field(1, _field(1, name.encode()) + _field(2, _feature(values)))
    return _field(1, entries)


def _feature(values: Sequence[Value]) -> bytes:
    if isinstance(values[0], bytes):
        return _field(1, b"".join(_field(1, value) for value in values if isinstance(value, bytes)))
    if isinstance(values[0], float):
        return _field(2, _field(1, struct.pack(f"<{len(values)}f", *values)))
    return _field(3, _field(1, b"".join(_varint(int(value)) for value in values)))


def tfrecord(records: Iterable[bytes]) -> bytes:
    """A TFRecord file."""
    file = b""
    for record in records:
        length = struct.pack("<Q", len(record))
        file += length + _masked(length) + record + _masked(record)
    return file


def claims_too_much(size: int) -> dict[str, bytes]:
    """Files of all kinds, by name, that say of themselves that something in them has so many bytes."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, size
    length = struct.pack("<Q", size)
    classes = b"".join(_text(f"org.apache.hadoop.io.{name}") for name in ("Text", "BytesWritable"))
    return {
        "claims.tar": header.tobuf(tarfile.GNU_FORMAT) + bytes(1024),
        "claims.tfrecord": length + _masked(length) + bytes(1024),
        "claims.parquet": b"PAR1" + bytes(1024) + struct.pack("<i", min(size, 2**31 - 1)) + b"PAR1",
        "claims.seq": b"SEQ\6" + classes + bytes(6 + 16) + struct.pack(">ii", *[min(size, 2**31 - 1)] * 2) + bytes(64),
    }


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _masked(data: bytes) -> bytes:
    checksum = _crc32c(data)
    return struct.pack("<I", (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _crc32c(data: bytes) -> int:
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum = _TABLE[(checksum ^ byte) & 0xFF] ^ (checksum >> 8)
    return checksum ^ 0xFFFFFFFF


def _table_entry(index: int) -> int:
    for _ in range(8):
        index = (index >> 1) ^ (0x82F63B78 if index & 1 else 0)
    return index


_TABLE = [_table_entry(index) for index in range(256)]


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])
