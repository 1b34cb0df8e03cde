"""Tables on disk, the nearest rows and groups of near-duplicates, each against brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from featx_retrieval.duplicates import groups
from featx_retrieval.search import distances, similar
from featx_retrieval.table import Table, TableError, read


def table(folder: Path, bits: np.ndarray, done: bool = True) -> str:  # type: ignore[type-arg]
    keys = [f"{row:03}.jpg" for row in range(len(bits))]
    features = np.unpackbits(bits, axis=1).astype(np.float32)
    columns = {"key": keys, "feature": features.tolist(), "bits": [row.tobytes() for row in bits]}
    sizes = {"width": [10] * len(bits), "height": list(range(len(bits)))}
    pq.write_table(pa.table({**columns, **sizes}), folder / "part-0.parquet")
    (folder / "_part-1.parquet").write_bytes(b"partial")
    if done:
        (folder / "_SUCCESS").touch()
    return str(folder)


def some_bits(rows: int) -> np.ndarray:  # type: ignore[type-arg]
    bits = np.random.default_rng(0).integers(0, 256, (rows, 32), dtype=np.uint8)
    bits[rows // 2 :] = bits[: rows - rows // 2]
    bits[rows // 2 :, 0] ^= np.arange(rows - rows // 2, dtype=np.uint8)  # up to 8 bits differ
    return bits


@pytest.mark.parametrize("threshold", [0, 3, 8, 40])
def test_every_pair_under_the_threshold_is_in_one_group(threshold: int) -> None:
    bits = some_bits(200)
    duplicate_groups = groups(Table([f"{row:03}" for row in range(200)], None, bits, None), "bits", threshold)
    together = {frozenset((a.key, b.key)) for group in duplicate_groups for a in group for b in group if a.key != b.key}
    near = distances(bits, bits, "bits") <= threshold
    assert together == {frozenset((f"{a:03}", f"{b:03}")) for a, b in zip(*np.nonzero(near), strict=True) if a != b}


def test_the_largest_image_represents_its_group(tmp_path: Path) -> None:
    uri = table(tmp_path, np.repeat(some_bits(2)[:1], 3, axis=0))
    (group,) = groups(read(uri, ["key", "feature", "width", "height"]), "feature", 0.01)
    assert [row.key for row in group] == ["002.jpg", "000.jpg", "001.jpg"]


@pytest.mark.parametrize("by", ["feature", "bits"])
def test_similar_finds_what_brute_force_finds(tmp_path: Path, by: str) -> None:
    bits = some_bits(100)
    values = np.unpackbits(bits, axis=1).astype(np.float32) if by == "feature" else bits
    expected = distances(values[7:8], values, by)[0]  # type: ignore[arg-type]
    order = [row for row in np.lexsort((np.arange(100), expected)) if row != 7][:5]
    nearest = similar(table(tmp_path, bits), "007.jpg", 5, by)  # type: ignore[arg-type]
    assert np.allclose([row.distance for row in nearest], expected[order], atol=1e-5)


def test_an_unknown_key_is_answered_with_keys_like_it(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no row has the key '07.jpg'; similar keys: .*07\.jpg"):
        similar(table(tmp_path, some_bits(10)), "07.jpg", 5, "bits")


def test_an_unfinished_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="unfinished"):
        read(table(tmp_path, some_bits(4), done=False), ["key"])


def test_a_folder_that_is_not_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="not a table"):
        read(str(tmp_path), ["key"])
