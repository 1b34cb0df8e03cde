"""Runs of the job and the operator's own tests go side by side: they have a namespace and an operator each."""

from __future__ import annotations

from pathlib import Path

import pytest

RUN = Path(__file__).parent / "run"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group("run" if RUN in item.path.parents else "operator"))
