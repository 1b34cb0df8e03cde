"""The fields of a resource as the user of a run without a file knows them: by the options that it was made from.

A failure names a field, which nobody has written who has no file. The few fields that no option sets are changed in the
file that `--write` saves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_FIELD = re.compile(r"\bspec(?:\.[A-Za-z][A-Za-z0-9]*)+|\bmetadata\.name\b")
_MODEL_FILES = ("", ".onnx", ".prototxt")

OPTIONS: Final[Mapping[str, str]] = {
    "metadata.name": "--name",
    "spec.errors.maxFailedFraction": "--max-failed-fraction",
    "spec.output.uri": "--output",
    **dict.fromkeys(("spec.source.files", "spec.source.files.uri", "spec.source.s3"), "--images"),
    **dict.fromkeys(("spec.source.s3.bucket", "spec.source.s3.prefix"), "--images"),
    **dict.fromkeys(("spec.source.s3.endpoint", "spec.output.s3.endpoint"), "--endpoint"),
    **{f"spec.extractor.model{file}": "--model" for file in _MODEL_FILES},
    **{f"spec.detector.model{file}": "--detector" for file in _MODEL_FILES},
    "spec.extractor.model.weights": "--weights",
    "spec.extractor.layer": "--layer",
}


def translated(message: str, separator: str = "; ") -> str:
    """Return a message with options in place of the fields that they set, and how to set the others.

    Args:
        message: Of a failure.
        separator: Between the message and what is added.
    """
    others = sorted({field for field in _FIELD.findall(message) if field not in OPTIONS})
    text = _FIELD.sub(lambda match: OPTIONS.get(match[0], match[0]), message)
    if not others:
        return text
    names = ", ".join(others)
    return (
        f"{text}{separator}no option sets {names}: save the resource with --write FILE, change it there, and run FILE"
    )
