"""A column of packed.carry that no file has is a failure which names what is there, in every format with columns."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, rows_of_folder
from tests.support.packed_files import example, tar, tfrecord, zipped

IMAGE = drawings.encoded(drawings.scene())
SAMPLE = {"0.jpg": IMAGE, "0.caption.txt": b"a cat", "0.json": b"{}", "._0.cls": b"x"}
TABLE = {"image": [IMAGE], "caption": ["a cat"], "Label": [7]}


def table_file(columns: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(arrow.table(columns), sink)
    return sink.getvalue()


def spec_of(folder: Path, tiny: Spec, **packed: Any) -> Spec:
    return {
        "source": {"files": {"uri": f"file://{folder}/in"}, "packed": packed},
        "extractor": tiny["extractor"],
        "output": {"uri": f"file://{folder}/table"},
    }


@pytest.fixture
def message(runner: Runner, tiny: Spec, tmp_path: Path) -> Callable[..., str]:
    """Why a run over files fails."""

    def run_files(files: dict[str, bytes], **packed: Any) -> str:
        (tmp_path / "in").mkdir(exist_ok=True)
        for name, data in files.items():
            (tmp_path / "in" / name).write_bytes(data)
        outcome = runner.run(spec_of(tmp_path, tiny, **packed), uid="carried")
        assert outcome.failure is not None
        assert (outcome.failure.class_, outcome.retryable) == ("SourceNotSupported", False)
        return outcome.failure.message

    return run_files


@pytest.mark.parametrize(
    ("name", "data", "typo", "words"),
    [
        (
            "a.parquet",
            table_file(TABLE),
            "captoin",
            "(did you mean caption?); the columns there are Label, caption, im",
        ),
        ("a.parquet", table_file(TABLE), "label", "(did you mean Label?)"),
        ("a.tar", tar(SAMPLE), "jsn", "(did you mean json?); the columns there are caption.txt, json;"),
        (
            "a.zip",
            zipped(list(SAMPLE.items())),
            "jsn",
            "(did you mean json?); the columns there are caption.txt, json;",
        ),
        ("a.tar", tar({"0.jpg": IMAGE}), "cls", "no file has a column cls; there are no columns"),
        ("a.tfrecord", tfrecord([example({"jpg": [IMAGE], "label": [7]})]), "labels", "(did you mean label?); the c"),
    ],
)
def test_a_typo_in_carry_fails_the_run_with_the_columns_there(
    message: Callable[..., str], name: str, data: bytes, typo: str, words: str
) -> None:
    shown = message({name: data}, carry=[typo])
    assert shown.startswith("spec.source.packed.carry: ")
    assert f"no file has a column {typo}" in shown and words in shown


def test_a_typo_over_a_delta_table_or_a_table_of_urls_fails_the_run(
    message: Callable[..., str], runner: Runner, tiny: Spec, tmp_path: Path
) -> None:
    deltalake.write_deltalake(str(tmp_path / "in"), arrow.table(TABLE))
    assert "(did you mean caption?)" in message({}, carry=["captions"], format="delta")
    (tmp_path / "urls" / "in").mkdir(parents=True)
    urls = {"url": ["s3://a/b.jpg"], "caption": ["a cat"]}
    (tmp_path / "urls" / "in" / "a.parquet").write_bytes(table_file(urls))
    outcome = runner.run(spec_of(tmp_path / "urls", tiny, urlColumn="url", carry=["captions"]), uid="carried-urls")
    assert outcome.failure is not None and "(did you mean caption?)" in outcome.failure.message


def test_a_column_that_only_the_last_file_has_is_null_elsewhere(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    files = {f"{number:02}.parquet": table_file({"image": [IMAGE]}) for number in range(40)}
    files |= {"23.parquet": table_file(TABLE), "98.tar": tar({"0.jpg": IMAGE}), "99.tar": tar(SAMPLE)}
    (tmp_path / "in").mkdir()
    for name, data in files.items():
        (tmp_path / "in" / name).write_bytes(data)
    outcome = runner.run(spec_of(tmp_path, tiny, carry=["caption", "json"]), uid="some")
    assert outcome.failure is None, outcome.failure
    rows = {row["key"]: (row["caption"], row["json"]) for row in rows_of_folder(tmp_path / "table").rows}
    expected = {"23.parquet/0": ("a cat", None), "99.tar/0.jpg": (None, "{}")}
    assert {key: values for key, values in rows.items() if values != (None, None)} == expected
    assert len(rows) == len(files)
