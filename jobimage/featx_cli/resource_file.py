"""Reads a resource from a YAML file and reports what is wrong with it in the user's terms.

In a cluster the API server validates a resource at `kubectl apply`. `featx run` has no server, so it validates with the
same models, and reports one line per field. Two things are easier here: an address may be a path, and a model may lack
its digest, which is then computed. `LocalResource.document` is what a cluster accepts.
"""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from featx_api import KIND, problems
from featx_api.resource import FeatureExtraction
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.models import fetch
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from featx_cli import local_addresses, model_refs
from featx_cli.errors import CommandError
from featx_cli.model_refs import PARTS

STDIN = Path("-")
UNKNOWN_DIGEST = "0" * 64  # stands in for a digest until it is computed


@dataclass(frozen=True)
class LocalResource:
    """A resource of this machine.

    Attributes:
        origin: Where it came from, for messages.
        document: The resource as YAML has it, with addresses in place of paths.
        resource: The resource, validated.
        unpinned: The parts whose model has no digest.
    """

    origin: Path
    document: dict[str, Any]
    resource: FeatureExtraction
    unpinned: tuple[str, ...]

    def pinned(self, environment: Environment) -> LocalResource:
        """The resource with the digest of each model, computed from the file where it is missing.

        Args:
            environment: Where models are read.

        Raises:
            CommandError: A model can't be read.
        """
        document = copy.deepcopy(self.document)
        spec = self.resource.spec
        for part in self.unpinned:
            model = (spec.extractor if part == "extractor" or not spec.detector else spec.detector).described
            try:
                digest = fetch.digest(spec, model, f"spec.{part}.model", environment)
            except RunFailure as failure:
                raise CommandError(f"{failure.class_}: {failure}") from None
            document["spec"][part]["model"]["sha256"] = digest
        return replace(self, document=document, resource=validate(self.origin, document))

    def write(self, path: Path) -> None:
        """Saves the document as YAML.

        Raises:
            CommandError: The file holds something else, or can't be written.
        """
        try:
            if path.exists() and path.read_bytes() != self.to_yaml().encode():
                raise CommandError(f"--write {path}: the file exists; choose another name or remove it")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.to_yaml(), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"--write {path}: {error.strerror}") from None

    def to_yaml(self) -> str:
        """The document as YAML."""
        return yaml.safe_dump(self.document, sort_keys=False, allow_unicode=True, width=120)


def read(path: Path) -> FeatureExtraction:
    """The one FeatureExtraction of a file.

    Raises:
        CommandError: See `document` and `validate`.
    """
    return load(path).resource


def load(path: Path) -> LocalResource:
    """The one FeatureExtraction of a file, with paths and without digests if the file has it so.

    Args:
        path: The file; `-` is standard input.

    Raises:
        CommandError: See `document` and `validate`.
    """
    if path == STDIN:
        return from_document(Path("standard input"), document(path), Path.cwd())
    return from_document(path, document(path), path.absolute().parent)


def from_document(origin: Path, document: dict[str, Any], folder: Path) -> LocalResource:
    """A resource of this machine.

    Args:
        origin: Where it came from, for messages.
        document: The resource, as YAML has it.
        folder: Where relative paths start.

    Raises:
        CommandError: See `validate`.
    """
    document = local_addresses.with_addresses(document, folder)
    complete, unpinned = copy.deepcopy(document), []
    for part in PARTS:
        model = _section(complete, part)
        if isinstance(model, dict) and model and model.get("sha256") is None:
            model["sha256"] = UNKNOWN_DIGEST
            unpinned.append(part)
    return LocalResource(origin, document, validate(origin, complete), tuple(unpinned))


def _section(document: dict[str, Any], part: str) -> Any:
    node: Any = document
    for name in ("spec", part, "model"):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def document(path: Path) -> dict[str, Any]:
    """The one FeatureExtraction of a file, not validated; with the models of the file in place of references to them.

    Other documents, such as Secrets, are ignored.

    Args:
        path: The file; `-` is standard input.

    Raises:
        CommandError: The file can't be read, is not YAML, or has none or several.
    """
    if path.is_dir():
        raise CommandError(f"{path} is a folder, but must be a YAML file; a folder of images is passed with --images")
    try:
        text = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
        documents = [document for document in yaml.safe_load_all(text) if isinstance(document, dict)]
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    resources = [document for document in documents if document.get("kind") == KIND]
    if len(resources) != 1:
        raise CommandError(f"{path} must contain one resource of kind {KIND}, but contains {len(resources)}")
    return model_refs.resolved(path, resources[0], documents)


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
        lines = [f"  {problems.line(FeatureExtraction, problem)}{_value(problem)}" for problem in error.errors()]
        raise CommandError("\n".join([f"{path} is invalid:", *lines])) from None


def _value(problem: ErrorDetails) -> str:
    value = problem["input"]
    short = value is not None and not isinstance(value, dict | list) and problem["type"] != problems.UNKNOWN_FIELD
    return f" (it is {value!r})" if short else ""
