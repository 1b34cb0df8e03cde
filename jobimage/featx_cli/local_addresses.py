"""Turns paths into the addresses that a resource has: people type paths, relative ones and `~` too.

A relative path in a file starts at the file's folder, as in a compose file or a Makefile's include, so that a resource
and its images can move together; one on the command line starts at the working directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from featx_cli.errors import CommandError

# Fields that hold an address which may be local.
FIELDS = (
    ("source", "files", "uri"),
    ("source", "list"),
    ("source", "changedSince"),
    ("source", "hbase", "snapshot", "rootDir"),
    ("source", "hbase", "snapshot", "restoreDir"),
    *((part, "model", name) for part in ("detector", "extractor") for name in ("onnx", "prototxt", "weights")),
    ("output", "uri"),
)
FILE = "file://"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:")


def is_path(text: str) -> bool:
    """Whether a text is a path on this machine: it has no scheme, or it is file:// with a relative path."""
    return bool(text) and (not _SCHEME.match(text) or (text.startswith("file:") and not text.startswith("file:///")))


def to_address(text: str, folder: Path) -> str:
    """The address of a path; other addresses stay as they are.

    Args:
        text: A path or an address.
        folder: Where a relative path starts.

    Raises:
        CommandError: The path is not text, or names the home directory of a user who does not exist.
    """
    if not is_path(text):
        return text
    try:
        path = folder / Path(text.removeprefix("file:").removeprefix("//")).expanduser()
        text.encode()
    except RuntimeError:
        raise CommandError(f"{text}: there is no such home directory") from None
    except UnicodeEncodeError:
        raise CommandError(f"{text!a}: the path is not UTF-8, as an address must be; rename the folder") from None
    resolved = os.path.realpath(path) if ".." in path.parts else os.path.abspath(path)  # noqa: PTH100 - keeps links
    return f"{FILE}{resolved}"


def with_addresses(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A copy of a resource in which paths are addresses.

    Args:
        document: The resource, as YAML has it; it need not be valid.
        folder: Where relative paths start.

    Raises:
        CommandError: See `to_address`.
    """
    for field in FIELDS:
        document = _changed(document, ("spec", *field), lambda value: to_address(value, folder))
    return document


def _changed(node: dict[str, Any], field: tuple[str, ...], change: Callable[[str], str]) -> dict[str, Any]:
    name, *below = field
    value = node.get(name)
    if below:
        return node | {name: _changed(value, tuple(below), change)} if isinstance(value, dict) else node
    return node | {name: change(value)} if isinstance(value, str) else node
