r"""How a name becomes an image's key: the one rule for files, objects, rows and members of archives. Pure.

A key is text and a name is bytes. UTF-8 stays as it is, and `\xNN` stands for a byte that is a control character or not
UTF-8, as in the HBase shell. A backslash that would begin such a sequence is `\x5C`. So every name has one key, and
every key, in the table as in `spec.source.keys`, leads back to its name. dev.featx.source.ImageKeys does the same.
"""

from __future__ import annotations

import re

# Python shows a byte that is not UTF-8 as a lone surrogate.
_ESCAPED = re.compile("[\x00-\x1f\x7f\udc80-\udcff]|\\\\(?=x[0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"\\x([0-9A-Fa-f]{2})")


def from_bytes(name: bytes) -> str:
    """Return the key of a name."""
    return from_text(name.decode("utf-8", "surrogateescape"))


def from_text(name: str) -> str:
    """Return the key of a name that Python has decoded from UTF-8, with lone surrogates for other bytes."""
    if name.isprintable() and "\\" not in name:
        return name  # nearly all are, and this takes a tenth of the time
    return _ESCAPED.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02X}", name)


def to_bytes(key: str) -> bytes:
    r"""Return the name of a key, or of any text with \xNN for bytes."""
    if "\\x" not in key:
        return key.encode()
    parts = _ESCAPE.split(key)
    return b"".join(bytes.fromhex(part) if index % 2 else part.encode() for index, part in enumerate(parts))


def to_text(key: str) -> str:
    """Return the name of a key as Python decodes it, with lone surrogates for bytes that are not UTF-8."""
    return to_bytes(key).decode("utf-8", "surrogateescape")


def is_utf8(name: str) -> bool:
    """Return whether all of a name from `to_text` is UTF-8."""
    return not any("\udc80" <= letter <= "\udcff" for letter in name)
