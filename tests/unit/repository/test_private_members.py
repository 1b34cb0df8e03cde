"""The libraries that talk to stores are used by what they publish: private members change in any release."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import urllib3
from featx_job.clients import s3_libraries
from featx_job.clients.s3_settings import Connection
from minio import Minio
from minio.credentials.providers import Provider

from tools.version import ROOT

LIBRARIES = ("minio", "obstore", "urllib3")
NAMED_TUPLES = ("_replace", "_asdict", "_fields", "_make")  # public in spite of their names
PRODUCT = [path for folder in ("crds", "operator", "jobimage") for path in (ROOT / folder).rglob("*.py")]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def imported(node: ast.AST) -> list[str]:
    """The libraries' modules that a statement imports, and what it imports of them."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names if name.name.split(".")[0] in LIBRARIES]
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
        return [f"{node.module}.{name.name}" for name in node.names]
    return []


def foreign_members(tree: ast.AST) -> Iterator[str]:
    """Private names that a module imports from the libraries, or reads from an object other than its own."""
    for node in ast.walk(tree):
        yield from (name for name in imported(node) if any(map(is_private, name.split("."))))
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in NAMED_TUPLES:
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            yield from () if own else (ast.unparse(node),)


def users() -> dict[Path, ast.AST]:
    trees = {path: ast.parse(path.read_text()) for path in PRODUCT}
    return {path: tree for path, tree in trees.items() if any(map(imported, ast.walk(tree)))}


def test_no_private_member_of_a_library_is_used() -> None:
    found = users()
    assert len(found) >= 2
    assert {path: names for path, tree in found.items() if (names := [*foreign_members(tree)])} == {}


def test_no_subclass_overrides_a_private_member_of_a_library() -> None:
    own = [
        kind
        for _, kind in inspect.getmembers(s3_libraries, inspect.isclass)
        if kind.__module__ == s3_libraries.__name__ and not issubclass(kind, Provider)  # abstract: nothing to override
    ]
    assert own == [s3_libraries.Requests]
    theirs = vars(urllib3.PoolManager()).keys() | set(dir(urllib3.PoolManager))
    ours = vars(s3_libraries.Requests(Connection(), None, "bucket", 1000)).keys() | vars(s3_libraries.Requests).keys()
    added = ours - vars(urllib3.PoolManager()).keys()
    assert {name for name in added if is_private(name)} & theirs == set()
    assert not [kind for kind in own if issubclass(kind, Minio)]
