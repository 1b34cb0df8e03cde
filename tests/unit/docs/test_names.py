"""What the docs name in code style exists: Java classes, Python files, fields of the resource, `featx` options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from featx_api.crd import MODEL, RUN, SCHEDULE, resource_schema

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE_ROOTS = [ROOT / name for name in ("", "crds", "operator", "jobimage", "jobimage/featx_job")]
JAVA = ROOT / "jobimage/java/src/main/java"
PARTS = "spec|status|source|detector|extractor|quantization|output|errors|limits|execution"


def fields(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """All paths of a schema, and each without its first part: docs say `output.mode` as well as `spec.output.mode`."""
    for name, part in schema.get("properties", {}).items():
        below = f"{path}.{name}".removeprefix(".")
        yield from (below, below.partition(".")[2])
        yield from fields(part.get("items", part), below)


FIELDS = {name for kind in (RUN, SCHEDULE, MODEL) for name in fields(resource_schema(kind))}


def dead(text: str) -> list[str]:
    """The names in a page that nothing has."""
    wrong = []
    for name in re.findall(r"`([^`\n]+)`", text):
        if re.fullmatch(r"dev\.featx(\.\w+)*", name):
            path = JAVA / name.replace(".", "/")
            exists = path.is_dir() or path.with_suffix(".java").exists()
        elif re.fullmatch(r"[\w-]+/[\w/-]+(\.py)?/?", name) and name.startswith(
            ("featx_", "nets/", "operator/", "crds/")
        ):
            exists = any((root / name).exists() for root in CODE_ROOTS)
        elif match := re.fullmatch(rf"((?:{PARTS})\.[A-Za-z.]+)(?:[:=].*)?", name):
            exists = match[1] in FIELDS
        else:
            continue
        if not exists:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_in_code_style_exists(page: Path) -> None:
    assert dead(page.read_text()) == []


def test_a_name_of_nothing_is_found() -> None:
    text = "`dev.featx.spark.Job` `dev.featx.Nothing` `featx_api/nothing.py` `output.colour` `spec.output.mode: create`"
    assert dead(text) == ["dev.featx.Nothing", "featx_api/nothing.py", "output.colour"]
