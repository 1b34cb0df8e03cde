"""Tables as readers see them: a Delta table's latest version, or all files of a plain folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import deltalake
import pyarrow as arrow
import pyarrow.parquet as parquet


def table_of_folder(folder: Path) -> arrow.Table:
    """The rows of the table in a folder; those of a Delta table are sorted by key."""
    if (folder / "_delta_log").exists():
        return deltalake.DeltaTable(folder).to_pyarrow_table().sort_by("key")
    return arrow.concat_tables(parquet.read_table(path) for path in parts(folder))


def parts(folder: Path) -> list[Path]:
    """The Parquet files directly in a folder, which may not exist."""
    return sorted(path for path in folder.glob("*.parquet"))


@contextmanager
def copied(start: str, names: Iterable[str], get: Callable[[str], bytes]) -> Iterator[Path]:
    """Yields a folder with a copy of a table, without the state of runs.

    Args:
        start: Prefix of the files' names outside the table.
        names: Names of all files, including the prefix.
        get: Returns a file's content.
    """
    with tempfile.TemporaryDirectory() as text:
        for name in names:
            path = Path(text) / name.removeprefix(start)
            if "_featx" not in path.parts:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(get(name))
        yield Path(text)
