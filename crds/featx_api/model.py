"""The base that every part of the API derives from, so that one set of rules holds everywhere.

Fields are snake_case in Python and camelCase on the wire; unknown fields are refused, as the API server refuses them
under strict validation; and a rule that spans fields is stated once per model, in CEL for the API server (`Rule`) and
in Python for `featx run`, side by side so that they can be read together.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Rule(NamedTuple):
    """A CEL rule and what the user reads when it does not hold (`x-kubernetes-validations`, KEP-2876)."""

    cel: str
    message: str
    field_path: str | None = None


def rules(*items: Rule) -> dict[str, Any]:
    """Returns the JSON-schema extension that carries CEL rules into the CRD."""
    validations = [
        {"rule": item.cel, "message": item.message, **({"fieldPath": item.field_path} if item.field_path else {})}
        for item in items
    ]
    return {"x-kubernetes-validations": validations}


class ApiModel(BaseModel):
    """A part of the resource: camelCase on the wire, unknown fields refused, values never mutated."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    def to_wire(self) -> dict[str, Any]:
        """Returns the camelCase form, without what is unset, ready for JSON or YAML."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatusModel(ApiModel):
    """A part that Featx itself writes and reads back: what a newer version added is passed over, not refused."""

    model_config = ConfigDict(extra="ignore")
