"""What is wrong with a resource, in words for its author: pydantic's messages speak of Python."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

UNKNOWN_FIELD = "extra_forbidden"


def describe(model: type[BaseModel], problem: ErrorDetails) -> str:
    """What is wrong with one field, without its path and its value.

    Args:
        model: The model of the whole document.
        problem: One of a ValidationError's.
    """
    match problem["type"]:
        case "missing":
            return "is missing"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be an object with fields"
        case kind if kind == UNKNOWN_FIELD:
            *path, name = problem["loc"]
            similar = difflib.get_close_matches(str(name), _field_names(model, path), n=1)
            return "unknown field" + (f"; did you mean {similar[0]}?" if similar else "")
    return re.sub(r"^\w+ should ", "must ", problem["msg"].removeprefix("Value error, "))


def _field_names(model: type[BaseModel], path: Sequence[int | str]) -> Iterable[str]:
    """The fields, as they are written in YAML, of the part of a model at a path."""
    fields: dict[str, Any] = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    if not path:
        return fields
    annotation = fields.get(str(path[0]))
    parts = (part for part in (annotation, *get_args(annotation)) if isinstance(part, type))
    return next((_field_names(part, path[1:]) for part in parts if issubclass(part, BaseModel)), ())
