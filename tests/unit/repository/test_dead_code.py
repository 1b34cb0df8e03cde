"""Product packages contain nothing that only tests use."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from tools.version import ROOT

#: What a library calls by its name: prometheus-client reads metrics so.
CALLED = frozenset({"collect"})
PACKAGES = ("crds", "operator", "jobimage")
FILES = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "caffe_pb2" not in path.name]


def definitions(path: Path) -> list[str]:
    """Returns the names of functions, methods and classes that no decorator hands to a framework."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [node.name for node in nodes if not node.decorator_list and not node.name.startswith("__")]


def test_each_function_and_class_of_a_product_package_is_used_in_one() -> None:
    words = Counter(word for path in FILES for word in re.findall(r"\w+", path.read_text()))
    unused = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        for name in definitions(path)
        if words[name] < 2 and name not in CALLED
    }
    assert unused == set()
