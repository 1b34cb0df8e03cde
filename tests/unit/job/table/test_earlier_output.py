"""A run names the fields that differ from the run before it, and replaces only what runs have written."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from featx_api.contract import JobSpec
from featx_api.failures import FailureClass
from featx_job.failures import RunFailure
from featx_job.local_files import on_this_machine
from featx_job.table import earlier_output, run_lock
from featx_job.table.run_files import RunFiles
from featx_job.table.storage.local import LocalStorage

from tests.support.bad_resources import changed


def job(path: str = "spec.suspend", value: Any = False, uid: str = "mine", name: str = "good") -> JobSpec:
    return JobSpec(name=name, namespace="team", uid=uid, attempt=1, spec=changed(path, value)["spec"])


def files(root: Path, uid: str = "mine") -> RunFiles:
    return RunFiles(LocalStorage(on_this_machine(root, "spec.output.uri")), uid, "file:///table")


def write_run(root: Path, run: JobSpec, finished: bool = True) -> None:
    earlier_output.save_job(files(root, run.uid), run)
    (root / "_delta_log").mkdir(exist_ok=True)
    (root / "_delta_log" / f"{0:020}.json").touch()
    (root / f"part-00000-{run.uid}.parquet").touch()
    if finished:
        (root / "_featx" / run.uid / "manifest.json").write_text("{}")
        (root / "_manifest.json").write_text("{}")
        (root / "_SUCCESS").touch()


def lock(root: Path, uid: str, **changes: Any) -> None:
    path = root / run_lock.locks_folder(uid) / "0.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(asdict(replace(run_lock.Holder.here(1), **changes))))


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("spec.extractor.layer", "fc7", ["spec.extractor.layer"]),
        ("spec.detector.classes", [2], ["spec.detector.classes"]),
        ("spec.source", {"files": {"uri": "file:///a"}}, ["spec.source.files.uri"]),
        ("spec.engine", "openvino", ["spec.engine"]),
        ("spec.execution.cores", 1, []),
        ("spec.suspend", True, []),
    ],
)
def test_the_fields_that_decide_on_rows_are_compared(path: str, value: Any, expected: list[str]) -> None:
    fields = earlier_output.changed_fields(job(), job(path, value))
    assert [field for field in fields if not field.startswith("spec.source.s3")] == expected


def test_a_refusal_names_what_differs(tmp_path: Path) -> None:
    write_run(tmp_path, job("spec.extractor.layer", "fc7", uid="other"))
    refusal = RunFailure(FailureClass.OUTPUT_EXISTS, "spec.output.uri: taken")
    explained = earlier_output.explained(refusal, files(tmp_path), job())
    assert str(explained) == "spec.output.uri: taken (it differs in spec.extractor.layer)"
    assert explained.class_ == FailureClass.OUTPUT_EXISTS


def test_another_failure_stays_as_it_is(tmp_path: Path) -> None:
    write_run(tmp_path, job("spec.extractor.layer", "fc7", uid="other"))
    failure = RunFailure(FailureClass.ACCESS_DENIED, "no")
    assert earlier_output.explained(failure, files(tmp_path), job()) is failure


def test_the_files_of_a_table_are_replaced_and_the_markers_of_a_finished_one_go_first(tmp_path: Path) -> None:
    write_run(tmp_path, job(uid="other"))
    paths = earlier_output.replaceable_files(files(tmp_path))
    assert paths[:2] == ["_SUCCESS", "_manifest.json"]
    assert {path for path in paths if not path.startswith("_")} == {"part-00000-other.parquet"}
    assert paths[-1].startswith("_featx/other/")  # until the end they say that a run has written the rest


def test_this_runs_own_finished_table_is_replaced_but_an_unfinished_one_is_resumed(tmp_path: Path) -> None:
    write_run(tmp_path, job(), finished=False)
    assert earlier_output.replaceable_files(files(tmp_path)) == []
    write_run(tmp_path, job())
    assert len(earlier_output.replaceable_files(files(tmp_path))) > 3


def test_an_empty_output_has_nothing_to_replace(tmp_path: Path) -> None:
    assert earlier_output.replaceable_files(files(tmp_path)) == []


@pytest.mark.parametrize("name", ["holiday.jpg", "part-0/a.parquet", "notes/_featx/a", "sub/part-1.parquet"])
def test_a_file_that_no_run_wrote_is_never_removed(name: str, tmp_path: Path) -> None:
    write_run(tmp_path, job(uid="other"))
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(RunFailure, match=rf"spec\.output\.uri.*{name}") as refusal:
        earlier_output.replaceable_files(files(tmp_path))
    assert refusal.value.class_ == "OutputExists"


def test_a_delta_table_that_no_run_wrote_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log" / f"{0:020}.json").touch()
    (tmp_path / "part-00000-a.parquet").touch()
    with pytest.raises(RunFailure, match="was not written by a run"):
        earlier_output.replaceable_files(files(tmp_path))


def test_a_table_that_runs_have_updated_is_never_removed(tmp_path: Path) -> None:
    update = {"uri": "s3://features/table", "mode": "incremental"}
    write_run(tmp_path, job("spec.output", update, uid="other"))
    with pytest.raises(RunFailure, match="incremental"):
        earlier_output.replaceable_files(files(tmp_path))


def test_a_table_whose_run_has_stored_no_settings_is_never_removed(tmp_path: Path) -> None:
    write_run(tmp_path, job(uid="other"))
    (tmp_path / "_featx" / "other" / "run.json").unlink()
    with pytest.raises(RunFailure, match="older version"):  # which may have updated a table of somebody else's
        earlier_output.replaceable_files(files(tmp_path))


def test_a_table_that_another_run_is_writing_is_not_removed(tmp_path: Path) -> None:
    write_run(tmp_path, job(uid="other"), finished=False)
    lock(tmp_path, "other")
    with pytest.raises(RunFailure, match=r"/table is being written by run team/good .process") as refusal:
        earlier_output.replaceable_files(files(tmp_path))
    assert refusal.value.class_ == "OutputBusy"


def test_the_lock_of_the_run_itself_is_neither_in_the_way_nor_removed(tmp_path: Path) -> None:
    write_run(tmp_path, job(uid="other"))
    path = tmp_path / run_lock.locks_folder("mine") / "0.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    paths = earlier_output.replaceable_files(files(tmp_path))
    assert "_SUCCESS" in paths
    assert not [path for path in paths if "locks" in path]


def test_a_run_that_has_only_begun_is_seen_by_its_lock(tmp_path: Path) -> None:
    lock(tmp_path, "other")
    write_run(tmp_path, job())
    with pytest.raises(RunFailure, match="is being written by another run"):
        earlier_output.replaceable_files(files(tmp_path))


def test_an_output_that_another_run_is_writing_is_busy_and_nobody_is_to_remove_it(tmp_path: Path) -> None:
    lock(tmp_path, "other")
    earlier_output.save_job(files(tmp_path, "other"), job(uid="other"))
    with pytest.raises(RunFailure, match=r"is being written by run team/good .* wait for it") as refusal:
        earlier_output.refuse_writers(files(tmp_path), job(), in_cluster=False)
    assert refusal.value.class_ == FailureClass.OUTPUT_BUSY
    assert "remove" not in str(refusal.value)


def test_in_a_cluster_a_lock_counts_until_it_is_removed(tmp_path: Path) -> None:
    lock(tmp_path, "other", pid=1, birth="long ago", host="good-1-driver")
    earlier_output.refuse_writers(files(tmp_path), job(), in_cluster=False)
    with pytest.raises(
        RunFailure, match=r"pod good-1-driver, .*if this pod is gone, remove file:///table/_featx/other"
    ):
        earlier_output.refuse_writers(files(tmp_path), job(), in_cluster=True)


def test_of_two_runs_that_begin_at_once_one_continues(tmp_path: Path) -> None:
    for uid in ("mine", "other"):
        lock(tmp_path, uid)
    earlier_output.refuse_writers(files(tmp_path, "mine"), job(), in_cluster=False, holding=True)
    with pytest.raises(RunFailure, match="is being written"):
        earlier_output.refuse_writers(files(tmp_path, "other"), job(uid="other"), in_cluster=False, holding=True)


def test_runs_may_update_a_table_at_once(tmp_path: Path) -> None:
    lock(tmp_path, "other")
    update = job("spec.output", {"uri": "s3://features/table", "mode": "incremental"})
    earlier_output.refuse_writers(files(tmp_path), update, in_cluster=True)


@pytest.mark.parametrize(("limit", "starts_over"), [(0.1, True), (0.5, False), (1.0, False)])
def test_a_run_that_its_images_have_made_fail_starts_over_unless_it_may_succeed_now(
    tmp_path: Path, limit: float, starts_over: bool
) -> None:
    run = job("spec.errors", {"maxFailedFraction": limit})
    write_run(tmp_path, run, finished=False)
    assert earlier_output.failed_files(files(tmp_path), run) == []
    earlier_output.save_failed_fraction(files(tmp_path), 0.5)
    paths = earlier_output.failed_files(files(tmp_path), run)
    assert ("part-00000-mine.parquet" in paths and "_featx/mine/run.json" in paths) is starts_over


def test_an_update_that_its_images_have_made_fail_leaves_the_table_alone(tmp_path: Path) -> None:
    update = job("spec.output", {"uri": "s3://features/table", "mode": "incremental"})
    write_run(tmp_path, update, finished=False)
    earlier_output.save_failed_fraction(files(tmp_path), 0.5)
    assert earlier_output.failed_files(files(tmp_path), update) == []
