"""Images whatever their names are, in each kind of store, and in JVMs that were started in a POSIX locale."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from featx_job.source import keys

from tests.integration.job import drawings
from tests.integration.job.runs import (
    Runner,
    Spec,
    Tables,
    driver_process,
    rows_of_bucket,
    rows_of_folder,
    rows_of_hdfs,
)
from tests.integration.job.store import Store
from tests.support.stores import hdfs

IMAGE = drawings.encoded(drawings.scene())
#: Names that every store can hold, without the folder.
NAMES = [
    *(
        "größe.jpg",
        unicodedata.normalize("NFD", "größe.jpg"),
        "\U0001f45f\u200d\U0001f525.jpg",
        "日本語.jpg",
        "a b  c.jpg",
    ),
    *(
        "100%.jpg",
        "a%20b.jpg",
        "a+b.jpg",
        "a#b.jpg",
        "a?b=c&d.jpg",
        "~a!'()*,;@$[]{}^`|<>\".jpg",
        "a\\b.jpg",
        "\\x41.jpg",
    ),
    *("new\nline.jpg", "tab\tbell\a.jpg", " blanks at the ends ", "no ending"),
]
#: Names of files that are not UTF-8: Latin-1, Shift-JIS, half a character.
BYTES = [b"caf\xe9.jpg", "画像.jpg".encode("shift-jis"), b"\xf0\x9f.jpg", b"\xed\xa0\x80.jpg"]
LONG = "/".join(["d" * 100] * 10) + "/" + "n" * 14  # 1,024 bytes


def expected(*, others: list[bytes]) -> list[str]:
    """The keys of all names, below a folder whose name is not plain either."""
    return sorted(keys.from_bytes(b"my photos/" + name) for name in [*map(str.encode, NAMES), *others])


def assert_rows(tables: Tables, expected_keys: list[str]) -> None:
    assert tables.quarantine == []
    assert sorted(row["key"] for row in tables.rows) == expected_keys


def write(folder: Path, names: list[bytes]) -> None:
    for name in names:
        path = folder / "my photos" / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(IMAGE)


@pytest.mark.parametrize("variables", [{"LC_ALL": "C"}, {"LC_ALL": "", "LANG": ""}], ids=["C", "unset"])
def test_files_of_any_name_become_rows_in_any_locale(variables: dict[str, str], tiny: Spec, tmp_path: Path) -> None:
    claims = tmp_path / "claims"
    folder = claims / "photos" / "Größe #1 100%"
    (claims / "tables").mkdir(parents=True)
    write(folder, [*map(str.encode, NAMES), *BYTES, LONG.encode()])
    sources: dict[str, dict[str, Any]] = {
        "claim": {"claim": {"name": "photos", "path": "Größe #1 100%"}},
        "file": {"files": {"uri": f"file://{folder}"}},
    }
    with driver_process(tmp_path, claims=claims, environment=variables) as driver:
        for kind, source in sources.items():
            spec = {"source": source, **tiny, "output": {"uri": f"file://{claims}/tables/Größe {kind}"}}
            outcome = driver.run(spec, kind, tmp_path)
            assert outcome["result"] == "Succeeded", outcome
            assert_rows(rows_of_folder(claims / "tables" / f"Größe {kind}"), expected(others=[*BYTES, LONG.encode()]))


def test_keys_of_any_name_select_their_files(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    write(tmp_path, [*map(str.encode, NAMES), *BYTES])
    chosen = expected(others=BYTES)[::2]
    source = {"files": {"uri": f"file://{tmp_path}"}, "keys": [*chosen, "gone\\x0A.jpg"]}
    spec = {"source": source, **tiny, "output": {"uri": f"file://{tmp_path}/table"}, "errors": {"maxFailedFraction": 1}}
    assert runner.run(spec, uid="keys").failure is None
    tables = rows_of_folder(tmp_path / "table")
    assert sorted(row["key"] for row in tables.rows) == chosen
    assert tables.reasons() == {"gone\\x0A.jpg": ("read", "Missing")}


def test_objects_of_any_name_become_rows(runner: Runner, store: Store, tiny: Spec) -> None:
    # SeaweedFS takes a backslash for a slash.
    names = [f"in/my photos/{name}" for name in NAMES if "\\" not in name]
    names.append(f"in/{'é' * 100}/" * 5 + "n" * 4)
    assert len(names[-1].encode()) == 1024
    store.put("any-names", dict.fromkeys(names, IMAGE))
    source = {"endpoint": store.endpoint, "bucket": "any-names", "prefix": "in/", "secretRef": {"name": "store"}}
    written = sorted(map(keys.from_text, names))
    spec = {"source": {"s3": source}, **tiny, "output": {"uri": "s3://any-names/table"}}
    assert runner.run(spec, uid="names").failure is None
    assert_rows(rows_of_bucket(store, "any-names", "table"), written)
    again = {**spec, "source": {"s3": source, "keys": written}, "output": {"uri": "s3://any-names/my tables/ü"}}
    assert runner.run(again, uid="again").failure is None
    assert_rows(rows_of_bucket(store, "any-names", "my tables/ü"), written)


def test_files_of_any_name_in_hdfs_become_rows(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    names = [name for name in NAMES if ":" not in name]
    with hdfs.running(tmp_path) as files:
        for name in names:
            files.put(f"/my photos/in/my photos/{name}", IMAGE)
        source: dict[str, Any] = {"files": {"uri": f"{files.uri}/my photos/in"}}
        spec = {"source": source, **tiny, "output": {"uri": f"{files.uri}/my tables/first"}}
        outcome = runner.run(spec, uid="names")
        assert outcome.failure is None, outcome.failure
        written = sorted(keys.from_text(f"my photos/{name}") for name in names)
        assert_rows(rows_of_hdfs(files, "/my tables/first"), written)
        again = {**spec, "source": {**source, "keys": written}, "output": {"uri": f"{files.uri}/again"}}
        assert runner.run(again, uid="again").failure is None
        assert_rows(rows_of_hdfs(files, "/again"), written)
