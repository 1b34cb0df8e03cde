"""Reads a resource from a YAML file and reports what is wrong with it in the user's terms.

In a cluster the API server validates a resource at `kubectl apply`. `featx run` has no server, so it validates with the
same models, and reports one line per field: a file that runs here is accepted there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from featx_api import KIND, problems
from featx_api.resource import FeatureExtraction
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from featx_cli.errors import CommandError


def read(path: Path) -> FeatureExtraction:
    """The one FeatureExtraction of a file.

    Raises:
        CommandError: See `document` and `validate`.
    """
    return validate(path, document(path))


def document(path: Path) -> dict[str, Any]:
    """The one FeatureExtraction of a file, not validated. Other documents, such as Secrets, are ignored.

    Raises:
        CommandError: The file can't be read, is not YAML, or has none or several.
    """
    try:
        documents = [document for document in yaml.safe_load_all(path.read_text()) if isinstance(document, dict)]
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    resources = [document for document in documents if document.get("kind") == KIND]
    if len(resources) != 1:
        raise CommandError(f"{path} must contain one resource of kind {KIND}, but contains {len(resources)}")
    return resources[0]


def validate(path: Path, document: dict[str, Any]) -> FeatureExtraction:
    """Parses a resource.

    Args:
        path: The file it came from, for the message.
        document: The resource, as YAML has it.

    Raises:
        CommandError: The resource is invalid; the message has one line per field.
    """
    try:
        return FeatureExtraction.from_wire(document)
    except ValidationError as error:
        lines = [
            f"  {_field(problem['loc'])}{problems.describe(FeatureExtraction, problem)}{_value(problem)}"
            for problem in error.errors()
        ]
        raise CommandError("\n".join([f"{path} is invalid:", *lines])) from None


def _field(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, location))}: " if location else ""


def _value(problem: ErrorDetails) -> str:
    value = problem["input"]
    short = value is not None and not isinstance(value, dict | list) and problem["type"] != problems.UNKNOWN_FIELD
    return f" (it is {value!r})" if short else ""
