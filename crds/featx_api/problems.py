"""What is wrong with a resource, in words for its author: pydantic's messages speak of Python and of patterns."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

UNKNOWN_FIELD = "extra_forbidden"
HOW_TO_GET_SHA256: Final = "`sha256sum FILE` prints it, and so does `featx run`"

_NAME: Final = "must be lower-case letters, digits, - and ., with a letter or digit at both ends, such as my-store"
_LABEL: Final = "must be letters, digits, -, _ and ., with a letter or digit at both ends"
_ROW: Final = r"must be a row key as the HBase shell writes it, with \x00 for a byte that is not printable"
_MEMORY: Final = "must be a size from 64Mi to 999Gi, such as 3Gi"
_TABLE: Final = (
    "must be the address of a table: s3://bucket/path, hdfs://namenode:8020/path or claim://CLAIM/path; for `featx "
    "run` also a path"
)
_MODEL: Final = (
    "must be the address of a file: s3://bucket/key or claim://CLAIM/path; for `featx run` also a path or "
    "package:NAME==VERSION/path"
)
_HBASE: Final = "must be a folder: hdfs://namenode:8020/path; for `featx run` also a path"
_GLOB: Final = (
    "must be a glob, such as *.{jpg,png}: at most one {…}, and a ] after each [ of a name ([[] is the letter)"
)
_TEXT: Final = "must not contain control characters"

#: What a value with a pattern must be, by field; the fields above it tell two of one name apart.
FORMS: Final[Mapping[str, str]] = {
    "background": "must be a colour, such as #ffffff",
    "bucket": "must be the name of a bucket: 3 to 63 lower-case letters, digits, - and ., such as my-images",
    "carry": "must be the name of a column, without blanks and without any of ,;{}()=",
    "claim.name": _NAME,
    "classes": _TEXT,
    "claim.path": _TEXT,
    "changedSince": _TABLE,
    "column": "must be family:qualifier, such as p:jpg",
    "driverCpu": "must be a number of CPUs from 1m to 999, such as 2 or 500m",
    "driverMemory": _MEMORY,
    "endpoint": "must be the URL of a server, without a path, such as https://s3.example.com:9000",
    "exclude": _GLOB,
    "files.uri": "must be the address of a folder: hdfs://namenode:8020/path or claim://CLAIM/path; for `featx run` "
    "also a path or package:NAME==VERSION/path; a bucket is spec.source.s3",
    "hadoopUser": _LABEL,
    "hbase.prefix": _ROW,
    "headers": "must be printable ASCII without $, and without a blank at either end",
    "image": "must be the name of a container image, such as registry.example.com/team/featx-job:1.0",
    "include": _GLOB,
    "inventory": "must be an S3 Inventory's manifest.json, or the folder of its dated inventories: "
    "s3://bucket/path/manifest.json or s3://bucket/path",
    "keys": _TEXT,
    "licence": "must be an expression of SPDX, such as Apache-2.0",
    "managedBy": "must be the name of a controller, such as kueue.x-k8s.io/multikueue",
    "members": _GLOB,
    "memory": _MEMORY,
    "modelRef.name": _NAME,
    "nodePool": _LABEL,
    "onnx": _MODEL,
    "output.uri": _TABLE,
    "priorityClassName": _NAME,
    "principal": "must be a principal, such as features@EXAMPLE.COM",
    "prototxt": _MODEL,
    "quorum": "must be hosts, separated by commas, such as zk-0.zk:2181,zk-1.zk:2181",
    "region": "must be lower-case letters, digits and -, such as eu-west-1",
    "restoreDir": _HBASE,
    "rootDir": _HBASE,
    "s3.prefix": _TEXT,
    "salts": r"must be printable ASCII, with \x00 for any other byte",
    "secretRef.name": _NAME,
    "serviceAccountName": _NAME,
    "sha256": "must be 64 hexadecimal digits in lower case, as `sha256sum FILE` prints them",
    "snapshot.name": "must be letters, digits, _, - and .",
    "source.list": "must be the address of a file that ends in .parquet, .csv, .txt or .jsonl (also with .gz or .zst, "
    "except Parquet): s3://bucket/path, hdfs://namenode:8020/path or claim://CLAIM/path; for `featx run` also a path",
    "startRow": _ROW,
    "stopRow": _ROW,
    "table": "must be the name of a table, such as photos or shop:photos",
    "weights": _MODEL,
    "znode": "must be an absolute path of letters, digits, _, - and ., such as /hbase",
}
#: Fields whose length says less than their form.
_SIZED: Final = {"background", "bucket", "driverMemory", "memory", "sha256"}
_DIRECTIONS: Final = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_KINDS: Final = {"bool": "true or false", "float": "a number", "int": "an integer", "list": "a list", "string": "text"}


def line(model: type[BaseModel], problem: ErrorDetails) -> str:
    """What is wrong with one field: its path, and what the value must be. The value itself is left out.

    Args:
        model: The model of the whole document.
        problem: One of a ValidationError's.
    """
    path, text = ".".join(map(str, problem["loc"])), describe(model, problem)
    return text if not path or text.startswith(path) else f"{path}: {text}"


def describe(model: type[BaseModel], problem: ErrorDetails) -> str:
    """What is wrong with one field, without its path and its value.

    Args:
        model: The model of the whole document.
        problem: One of a ValidationError's.
    """
    names = [name for name in problem["loc"] if isinstance(name, str)]
    form = FORMS.get(".".join(names[-2:])) or FORMS.get("".join(names[-1:])) or FORMS.get("".join(names[-2:-1]))
    match problem["type"]:
        case "missing":
            return "is missing" + (f": {HOW_TO_GET_SHA256}" if names[-1:] == ["sha256"] else "")
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be an object with fields"
        case kind if kind == UNKNOWN_FIELD:
            *path, name = problem["loc"]
            similar = difflib.get_close_matches(str(name), _field_names(model, path), n=1)
            return "unknown field" + (f"; did you mean {similar[0]}?" if similar else "")
        case "string_pattern_mismatch":
            return _TEXT if _has_control(problem["input"]) else form or "has a form that this field does not accept"
        case "string_too_short" | "string_too_long" if form and names[-1] in _SIZED:
            return form
        case "finite_number":
            return "must be a number, and not infinite"
        case kind if kind.startswith("datetime_"):
            return "must be a time, such as 2026-11-26T00:00:00Z"
        case kind if (name := kind.partition("_")[0]) in _KINDS and kind.endswith(("_type", "_parsing", "_from_float")):
            return f"must be {_KINDS[name]}"
    return re.sub(r"^\w+ should ", "must ", problem["msg"].removeprefix("Value error, ")).replace(
        " after validation", ""
    )


def _has_control(value: Any) -> bool:
    return isinstance(value, str) and any(
        unicodedata.category(char) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(char) in _DIRECTIONS
        for char in value
    )


def _field_names(model: type[BaseModel], path: Sequence[int | str]) -> Iterable[str]:
    """The fields, as they are written in YAML, of the part of a model at a path."""
    fields: dict[str, Any] = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    if not path:
        return fields
    annotation = fields.get(str(path[0]))
    parts = (part for part in (annotation, *get_args(annotation)) if isinstance(part, type))
    return next((_field_names(part, path[1:]) for part in parts if issubclass(part, BaseModel)), ())
