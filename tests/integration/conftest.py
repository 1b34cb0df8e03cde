"""What makes the tests of this folder fast: the order of their files, and JVMs that compile little.

A worker takes whole files, and the last one to finish decides how long all take.
"""

from __future__ import annotations

import os

import pytest

# Half of what short-lived JVMs compute is the optimizing compiler's own work. End-to-end tests run with it.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")

# Minutes each, most of it waiting: for servers to start and restart, for outages, for killed drivers.
FIRST = (
    "test_hdfs",
    "test_hbase",
    "test_architectures",
    "test_outages",
    "test_kerberos",
    "test_faults",
    "test_first_steps",
    "test_deepbit",
    "test_incremental_output",
    "test_real_models",
    "test_delta",
    "test_resume",
    "test_retrieval",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first; the order within a file stays."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
