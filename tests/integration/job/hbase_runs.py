"""Specs of runs over tables of a real HBase, and the keys of their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.job.runs import Spec, Tables
from tests.support.stores import hbase
from tests.support.stores.hbase import HBase


def spec_of(server: HBase, tiny: Spec, output: Path, table: str = "catalog", shard: int = 8, **source: Any) -> Spec:
    given = {"quorum": server.quorum, "table": table, "column": f"{hbase.FAMILY}:{hbase.QUALIFIER}", **source}
    return {
        "source": {"hbase": given},
        **tiny,
        "output": {"uri": f"file://{output}"},
        "errors": {"maxFailedFraction": 1},
        "execution": {"shardImages": shard},
    }


def keys(tables: Tables) -> list[str]:
    return sorted(row["key"] for row in tables.rows)
