"""Text from outside: cluster, driver and people may put anything into a message, and a terminal would obey it."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """The text on one line, without anything that a terminal, a log or JSON can't show as it is.

    White space of any kind becomes a space. Control characters, terminal escapes, bidirectional overrides, invisible
    characters and lone surrogates become U+FFFD.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else REPLACEMENT for char in text)


def shortened(text: str, limit: int) -> str:
    """The printable text, cut off with an ellipsis if it has more characters than the limit."""
    text = printable(text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shortened_to_bytes(text: str, limit: int) -> str:
    """The printable text, cut off with an ellipsis if it has more bytes in UTF-8 than the limit."""
    text = printable(text[: limit + 1])
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - len("…".encode())].decode(errors="ignore") + "…"


def counted(number: int, noun: str) -> str:
    """The number with its noun, which is in the plural unless there is one: 1 image, 1,705 images."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def verb(number: int) -> str:
    """The form of `be` for this number of things."""
    return "is" if number == 1 else "are"
