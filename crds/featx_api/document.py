"""The base of every document that driver and executors exchange (`featx_api.executor_contract`)."""

from __future__ import annotations

import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Document(BaseModel):
    """A part of the contract: camelCase in JSON, unknown and missing fields refused on both sides."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        json_schema_serialization_defaults_required=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """Return the camelCase form, with every field."""
        return self.model_dump(mode="json", by_alias=True)

    def to_json(self) -> str:
        """Return one line of JSON, with every field."""
        return json.dumps(self.to_wire())

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse JSON, converting no types. Raises ValidationError."""
        return cls.model_validate_json(text, strict=True, by_alias=True, by_name=False)
