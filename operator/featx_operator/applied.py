"""Which fields of a spec an attempt was created with: so that a change that it does not see is reported.

The operator annotates the driver pod with a digest per field that is not at its default. The annotation proves nothing,
since the driver may change it: it only leads to a message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from featx_api.spec import FeatureExtractionSpec

#: Parts of a spec that may change once the run has started, and that an attempt reads at its start. Other fields can't
#: change (`featx_api.resource.FIXED`), or take effect at once.
PARTS = ("errors", "limits", "execution")
ANNOTATION_LIMIT = 4000  # characters


def annotation_of(spec: FeatureExtractionSpec) -> str:
    """The digests of a spec, as JSON."""
    return json.dumps(_digests(spec), sort_keys=True)


def digests_from(annotation: str) -> Mapping[str, str] | None:
    """The digests in an annotation, or None if there are none or they are malformed."""
    if not annotation or len(annotation) > ANNOTATION_LIMIT:
        return None
    try:
        digests = json.loads(annotation)
    except (ValueError, RecursionError):
        return None
    if not isinstance(digests, dict) or not all(isinstance(value, str) for value in digests.values()):
        return None
    return digests


def changed_fields(spec: FeatureExtractionSpec, applied: Mapping[str, str]) -> list[str]:
    """Paths of the fields in which a spec differs from the one that an attempt was created with, sorted."""
    current = _digests(spec)
    return sorted(f"spec.{path}" for path in _paths() if current.get(path) != applied.get(path))


def _paths() -> list[str]:
    """The fields that are compared, also those that a spec leaves out."""
    parts = {part: type(FeatureExtractionSpec.model_fields[part].default).model_fields for part in PARTS}
    paths = [f"{part}.{field.alias}" for part, fields in parts.items() for field in fields.values()]
    return [*paths, "priorityClassName"]


def _digests(spec: FeatureExtractionSpec) -> dict[str, str]:
    """The digest of each field that differs from its default: a default that an upgrade adds changes nothing."""
    defaults = _defaults()
    return {path: _digest(value) for path, value in _leaves(spec).items() if value != defaults.get(path)}


def _leaves(spec: FeatureExtractionSpec) -> dict[str, object]:
    wire = spec.to_wire()
    leaves = {f"{part}.{field}": value for part in PARTS for field, value in wire[part].items()}
    return leaves | {"priorityClassName": wire.get("priorityClassName")}


def _defaults() -> dict[str, object]:
    fields = FeatureExtractionSpec.model_fields
    return {f"{part}.{field}": value for part in PARTS for field, value in fields[part].default.to_wire().items()}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
