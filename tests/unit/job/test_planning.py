"""Which files of a source are planned, and which are only counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from featx_api.spec import FeatureExtractionSpec
from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.planning import Shards, SourceChanges, changes, list_shards
from featx_job.source.packed_files import PackedShards
from featx_job.source.shards import ObjectShards

MODEL = {"prototxt": "file:///a", "weights": "file:///b", "sha256": "0" * 64}


def spec_of(folder: Path, **source: Any) -> FeatureExtractionSpec:
    """A spec over the files `in` of a folder."""
    extractor = {"model": MODEL, "layer": "pool"}
    source = {"files": {"uri": f"file://{folder}/in"}, **source}
    return FeatureExtractionSpec.model_validate(
        {"source": source, "extractor": extractor, "output": {"uri": f"file://{folder}/in/table"}}
    )


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_bytes(b"x")


def planned(folder: Path, **source: Any) -> Shards:
    return list_shards(spec_of(folder, **source), Environment(jars=folder, work=folder), Hadoop(dict, 0), None)[0]


def keys(shards: Shards) -> list[str]:
    assert isinstance(shards, ObjectShards | PackedShards)
    return [file.key for file in shards.files()]


def test_globs_and_the_rule_for_hidden_files_do_not_apply_to_keys(tmp_path: Path) -> None:
    write(tmp_path, "a.png", ".b.jpg")
    assert keys(planned(tmp_path, include=["*.jpg"], keys=["a.png", ".b.jpg", "gone"])) == [".b.jpg", "a.png", "gone"]


def test_files_of_another_format_than_packed_files_are_counted(tmp_path: Path) -> None:
    write(tmp_path, "a.tar", "b.txt", ".c.tar", "d/e.tar")
    shards = planned(tmp_path, packed={"format": "tar"}, exclude=["d/"])
    assert keys(shards) == ["a.tar"]
    assert dict(shards.skipped) == {"hidden": 1, "excluded": 1, "otherFormat": 1}


def test_parquet_files_of_a_delta_table_are_refused_although_its_log_is_hidden(tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", "_delta_log/0.json")
    with pytest.raises(RunFailure, match="belongs to a Delta table"):
        planned(tmp_path, packed={"format": "parquet"})


def test_a_source_without_an_image_is_a_mistake_unless_the_run_reads_changes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "earlier").mkdir()
    changes_only = {"changedSince": f"file://{tmp_path}/earlier"}
    assert keys(planned(tmp_path, **changes_only)) == []
    with pytest.raises(
        RunFailure, match=r"spec.source.files.uri: /.*/in has no files; correct the address, or run again"
    ) as refused:
        planned(tmp_path)
    assert refused.value.class_ == "SourceEmpty"
    write(tmp_path, ".DS_Store")
    with pytest.raises(RunFailure, match=r"hidden and system files: 1\); correct") as refused:
        planned(tmp_path)
    assert refused.value.class_ == "SourceEmpty"


@pytest.mark.parametrize(
    ("names", "source", "hint"),
    [
        (("a.jpg", "b.PNG"), {"packed": {"format": "tar"}}, "these are images: remove spec.source.packed"),
        (("a.tar.gz", "b.tgz"), {"packed": {"format": "zip"}}, "set spec.source.packed.format to tar"),
        (("a.tar", "b.zip"), {"packed": {"format": "parquet"}}, "set spec.source.packed.format to auto"),
        (("a.rar",), {"packed": {"format": "tar"}}, "correct spec.source.packed.format or the folder"),
        (("a.tar.gz",), {"include": ["*.jpg"]}, "set spec.source.packed, and correct spec.source.include"),
        (("a.tar",), {"exclude": ["*.tar"]}, "set spec.source.packed, and correct spec.source.exclude"),
        (
            ("a.tar",),
            {"packed": {}, "include": ["*.jpg"]},
            "spec.source.include is about the files; spec.source.packed.members selects images in them",
        ),
        (("a.jpg", "b.tar", "c.png"), {"include": ["*.gif"]}, "correct spec.source.include, spec.source.exclude or"),
    ],
)
def test_of_a_source_of_which_nothing_is_left_the_field_to_correct_is_named(
    tmp_path: Path, names: tuple[str, ...], source: dict[str, Any], hint: str
) -> None:
    write(tmp_path, *names)
    with pytest.raises(RunFailure) as refused:
        planned(tmp_path, **source)
    assert hint in str(refused.value)


def test_what_came_went_or_changed_is_counted_without_the_run_s_own_table(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    shards = planned(tmp_path)
    (tmp_path / "in" / "a.jpg").unlink()
    (tmp_path / "in" / "b.jpg").write_bytes(b"other")
    write(tmp_path, "d.jpg", ".hidden", "table/part-00000.parquet")
    environment = Environment(jars=tmp_path, work=tmp_path)
    output = f"file://{tmp_path}/in/table"
    assert changes(spec_of(tmp_path), environment, Hadoop(dict, 0), shards, output) == SourceChanges(1, 1, 1)
    by_keys = spec_of(tmp_path, keys=["a.jpg"])
    assert changes(by_keys, environment, Hadoop(dict, 0), shards, output) is None


def test_a_source_that_cannot_be_listed_again_does_not_fail_the_run(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg")
    shards = planned(tmp_path)
    (tmp_path / "in").rename(tmp_path / "elsewhere")
    assert changes(spec_of(tmp_path), Environment(jars=tmp_path, work=tmp_path), Hadoop(dict, 0), shards, "x") is None
