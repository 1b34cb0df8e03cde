"""Reads a resource from a YAML file and says in the user's terms what is wrong with it.

The cluster's API server judges a resource at `kubectl apply`; `featx run` has no server and judges by the same models,
one line for each field, so that a file which runs here is accepted there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from featx_api import KIND
from featx_api.resource import FeatureExtraction
from pydantic import ValidationError

from featx_cli.errors import CommandError


def read(path: Path) -> FeatureExtraction:
    """Returns the one FeatureExtraction of a file; other documents in it, such as Secrets, are passed over.

    Raises:
        CommandError: The file can't be read, is not YAML, holds none or several, or the resource is refused.
    """
    try:
        documents = [document for document in yaml.safe_load_all(path.read_text()) if isinstance(document, dict)]
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    found = [document for document in documents if document.get("kind") == KIND]
    if len(found) != 1:
        raise CommandError(f"{path} holds {len(found)} resources of kind {KIND}; it must hold one")
    return judge(path, found[0])


def judge(path: Path, document: dict[str, Any]) -> FeatureExtraction:
    """Returns the parsed resource.

    Raises:
        CommandError: It is refused; the message has one line for each field.
    """
    try:
        return FeatureExtraction.model_validate(document)
    except ValidationError as error:
        lines = [f"  {_field(problem['loc'])}{problem['msg']}{_value(problem['input'])}" for problem in error.errors()]
        raise CommandError("\n".join([f"{path} is refused:", *lines])) from None


def _field(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, location))}: " if location else ""


def _value(value: Any) -> str:
    return "" if isinstance(value, dict | list) or value is None else f" (it is {value!r})"
