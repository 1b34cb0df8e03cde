"""Writes the JSON Schemas of the executor contract: `python -m featx_api.schemas FOLDER`, part of `make generate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from featx_api.executor_contract import DOCUMENTS


def schemas() -> dict[str, str]:
    """Return the content of each schema file by its name, the same bytes each time."""
    return {
        f"{name}.schema.json": json.dumps(document.json_schema(by_alias=True, mode="serialization"), indent=2) + "\n"
        for name, document in DOCUMENTS.items()
    }


if __name__ == "__main__":
    for name, text in schemas().items():
        (Path(sys.argv[1]) / name).write_text(text)
