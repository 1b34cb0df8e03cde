"""The base of every part of the API, so that one set of rules holds everywhere.

Fields are snake_case in Python and camelCase on the wire. Unknown fields are refused, as the API server refuses them
under strict validation. A rule that spans fields is stated once per model, in CEL for the API server (`Rule`) and in
Python for `featx run`, side by side. What has been renamed is listed once (`ApiModel.renamed`) and refused by both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

#: In the JSON schema of a required field, the message for resources without it.
MISSING: Final = "x-featx-missing"


class Rule(NamedTuple):
    """A CEL rule and the message for resources that break it (`x-kubernetes-validations`, KEP-2876).

    Attributes:
        cel: True for valid resources.
        message: For the others.
        field_path: The field that the message is about, if it is not the one that has the rule.
        message_cel: Computes a more precise message, of one line.
    """

    cel: str
    message: str
    field_path: str | None = None
    message_cel: str | None = None

    def to_json_schema(self) -> dict[str, str]:
        """The rule as an item of `x-kubernetes-validations`."""
        item = {"rule": self.cel, "message": self.message}
        item |= {"messageExpression": self.message_cel} if self.message_cel else {}
        return item | ({"fieldPath": self.field_path} if self.field_path else {})


def cel_string(text: str) -> str:
    """The text as a string literal of CEL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def rules(*items: Rule) -> dict[str, Any]:
    """The JSON schema extension that carries CEL rules into the CRD."""
    return {"x-kubernetes-validations": [item.to_json_schema() for item in items]}


class Renamed(NamedTuple):
    """A field, or one value of a field, that used to have another name.

    The API server drops unknown fields before CEL runs, and skips CEL where an enum does not hold. So the CRD keeps the
    old name as a property (of a number or a string: neither has a type to misreport) or the old value in the enum, and
    a rule that refuses it.

    Attributes:
        path: Path of the field in the resource, under its old name.
        new: The field's new name, or the new value.
        value: The old value, if the value is what was renamed.
    """

    path: str
    new: str
    value: str | None = None

    @property
    def field(self) -> str:
        """Old name of the field, on the wire."""
        return self.path.rsplit(".", 1)[1]

    @property
    def message(self) -> str:
        """The refusal, which names the new name."""
        if self.value:
            return f"{self.path}: {self.value} was renamed: use {self.new}"
        return f"{self.path} was renamed: use {self.path.removesuffix(self.field)}{self.new}"

    def is_used_by(self, part: Mapping[str, Any]) -> bool:
        """Whether a part of a resource, in wire form, uses the old name."""
        return part.get(self.field) == self.value if self.value else self.field in part

    def add_to(self, schema: dict[str, Any]) -> None:
        """Adds the old name, and the rule that refuses it, to the JSON schema of the part."""
        properties = schema["properties"]
        if self.value:
            properties[self.field] = properties[self.field] | {"enum": [*properties[self.field]["enum"], self.value]}
            cel = f"self.{self.field} != '{self.value}'"
        else:
            properties[self.field] = {"description": f"Renamed: use {self.new}.", "x-kubernetes-int-or-string": True}
            cel = f"!has(self.{self.field})"
        name = "x-kubernetes-validations"
        schema[name] = [*schema.get(name, []), Rule(cel, self.message).to_json_schema()]


class ApiModel(BaseModel):
    """A part of the resource: camelCase on the wire, unknown fields refused, values immutable."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    renamed: ClassVar[tuple[Renamed, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _refuse_old_names(cls, data: Any) -> Any:
        for renamed in cls.renamed if isinstance(data, Mapping) else ():
            if renamed.is_used_by(data):
                raise ValueError(renamed.message)
        return data

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Adds the old names to what pydantic generates."""
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        for renamed in cls.renamed:
            renamed.add_to(schema)
        return reference

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Parses the camelCase form; Python's field names are unknown there, as to the API server.

        Raises:
            ValidationError: The data is not valid.
        """
        return cls.model_validate(data, by_alias=True, by_name=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parses JSON; see `from_wire`."""
        return cls.model_validate_json(text, by_alias=True, by_name=False)

    def to_wire(self) -> dict[str, Any]:
        """The camelCase form without unset fields, ready for JSON or YAML."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatusModel(ApiModel):
    """A part that Featx writes and reads back. Fields that a newer version added are ignored, not refused."""

    model_config = ConfigDict(extra="ignore")
