"""What a driver stores in its output for later attempts and runs, which may be those of another version of Featx.

Each file has the version of its schema. A newer version of a schema reads the older ones: a field that it adds has a
default. Files that were stored before there were versions have none, which is version 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from featx_api.failures import FailureClass

from featx_job.failures import RunFailure

FIELD = "schemaVersion"


def to_bytes(content: Mapping[str, Any], version: int, indent: int | None = None) -> bytes:
    """Return a document as it is stored.

    Args:
        content: The document.
        version: Of its schema.
        indent: Of lines; None for a single one.
    """
    return json.dumps({FIELD: version, **content}, indent=indent).encode()


def from_bytes(data: bytes, newest: int, name: str) -> dict[str, Any]:
    """Return a stored document without its version.

    Args:
        data: The document.
        newest: Newest version of its schema that can be read.
        name: Of the file, for messages.

    Raises:
        RunFailure: OutputExists, if a newer version of Featx has stored it.
    """
    content: dict[str, Any] = json.loads(data)
    version = content.pop(FIELD, 0)
    if version > newest:
        message = (
            f"spec.output.uri: {name} of the output has schema version {version}, and this Featx reads up to "
            f"{newest}; use the newer version that has written it, or choose another address"
        )
        raise RunFailure(FailureClass.OUTPUT_EXISTS, message)
    return content
