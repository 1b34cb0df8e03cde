"""`modelRef` on a user's machine: there is no cluster to ask, so the models are documents of the same file."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from featx_api.nets import OWN_INPUT
from featx_api.vision_model import VISION_MODEL_KIND

from featx_cli.errors import CommandError

PARTS = ("detector", "extractor")


def resolved(path: Path, document: dict[str, Any], documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The FeatureExtraction with the models of its file in place of references to them; not validated.

    Args:
        path: The file, for messages.
        document: The FeatureExtraction, as YAML has it.
        documents: All documents of the file.

    Raises:
        CommandError: A model that the resource refers to is not in the file.
    """
    document = copy.deepcopy(document)
    for part in PARTS:
        net = _mapping(_mapping(document.get("spec")).get(part))
        if isinstance(ref := net.get("modelRef"), dict) and "model" not in net:
            kind, name = ref.get("kind", VISION_MODEL_KIND), ref.get("name")
            found = [
                one
                for one in documents
                if one.get("kind") == kind and _mapping(one.get("metadata")).get("name") == name
            ]
            if len(found) != 1:
                text = "not found" if not found else "found more than once"
                raise CommandError(
                    f"{path}: spec.{part}.modelRef: {kind} {name} {text}: put it into the same file, once"
                )
            if "input" in net:
                raise CommandError(f"{path}: spec.{part}: {OWN_INPUT}")
            _replace(net, _mapping(found[0].get("spec")), ("input", "layer") if part == "extractor" else ("input",))
    return document


def _replace(net: dict[str, Any], spec: dict[str, Any], fields: Sequence[str]) -> None:
    """Puts what a model says in place of the reference to it."""
    del net["modelRef"]
    model = _mapping(spec.get("model"))
    in_bucket = any(str(model.get(name)).startswith("s3://") for name in ("onnx", "prototxt", "weights"))
    net["model"] = model | ({"s3": model.get("s3") or {}} if in_bucket else {})  # not reached as the source is
    net |= {name: spec[name] for name in fields if name in spec and name not in net}


def _mapping(node: Any) -> dict[str, Any]:
    return node if isinstance(node, dict) else {}
