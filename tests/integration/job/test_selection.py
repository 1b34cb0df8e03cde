"""Which files of a source become images, in each store that lists files, and what a run says about the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from featx_api.contract import Outcome
from featx_api.status import Progress
from featx_job import run

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, job, rows_of_bucket, rows_of_folder
from tests.integration.job.store import Store

IMAGE = drawings.encoded(drawings.scene())
FILES = {
    **dict.fromkeys(("a.JPG", "b/c.jpg", "b/d.png", "drafts/e.jpg", "_DSC1.jpg"), IMAGE),
    **dict.fromkeys(
        (".DS_Store", "b/._c.jpg", "Thumbs.db", "_SUCCESS", ".git/config", ".git/x/y", "@eaDir/t.jpg"), b"no"
    ),
    "notes.txt": b"no image",
}
HIDDEN = 6  # two folders count once each


def run_over_files(kind: str, runner: Runner, store: Store, tiny: Spec, folder: Path, **source: Any) -> Outcome:
    """Runs over `FILES`; the table is in the folder or bucket `table`."""
    if kind == "s3":
        store.put(folder.name, {f"in/{name}": data for name, data in FILES.items()} | {"in/b/": b"", "in/": b""})
        access = {"endpoint": store.endpoint, "bucket": folder.name, "prefix": "in/", "secretRef": {"name": "store"}}
        given, output = {"s3": access}, f"s3://{folder.name}/table"
    else:
        for name, data in FILES.items():
            (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "in" / name).write_bytes(data)
        given, output = {"files": {"uri": f"file://{folder}/in"}}, f"file://{folder}/table"
    spec = {"source": {**given, **source}, **tiny, "output": {"uri": output}, "errors": {"maxFailedFraction": 1}}
    return runner.run(spec, uid="selection")


def written(kind: str, store: Store, folder: Path) -> tuple[list[str], dict[str, int]]:
    """The keys of the rows, below the source's folder, and what the manifest says about the other files."""
    if kind == "s3":
        tables, manifest = rows_of_bucket(store, folder.name, "table"), store.get(folder.name, "table/_manifest.json")
    else:
        tables, manifest = rows_of_folder(folder / "table"), (folder / "table" / "_manifest.json").read_bytes()
    keys = [row["key"].removeprefix("in/") for row in [*tables.rows, *tables.quarantine]]
    return sorted(keys), json.loads(manifest)["source"]["skipped"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name can be a bucket's."""
    path = tmp_path / f"selection-{abs(hash(str(tmp_path))) % 10**9}"
    path.mkdir()
    return path


@pytest.mark.parametrize("kind", ["s3", "files"])
def test_hidden_and_system_files_are_left_out_and_counted(
    kind: str, runner: Runner, store: Store, tiny: Spec, folder: Path
) -> None:
    outcome = run_over_files(kind, runner, store, tiny, folder)
    assert outcome.failure is None, outcome.failure
    keys, skipped = written(kind, store, folder)
    assert keys == ["_DSC1.jpg", "a.JPG", "b/c.jpg", "b/d.png", "drafts/e.jpg", "notes.txt"]
    assert skipped == {"hidden": HIDDEN}
    assert outcome.progress is not None
    assert (outcome.progress.images_total, outcome.progress.files_skipped) == (6, HIDDEN)


@pytest.mark.parametrize("kind", ["s3", "files"])
def test_globs_select_files_below_the_source_s_folder(
    kind: str, runner: Runner, store: Store, tiny: Spec, folder: Path
) -> None:
    globs = {"include": ["*.jpg", "/b/*.PNG"], "exclude": ["Drafts/"]}
    outcome = run_over_files(kind, runner, store, tiny, folder, **globs)
    assert outcome.failure is None, outcome.failure
    keys, skipped = written(kind, store, folder)
    assert keys == ["_DSC1.jpg", "a.JPG", "b/c.jpg", "b/d.png"]
    assert skipped == {"hidden": HIDDEN, "excluded": 1, "notIncluded": 1}


@pytest.mark.parametrize("kind", ["s3", "files"])
def test_globs_that_select_nothing_fail_the_run_with_what_is_there(
    kind: str, runner: Runner, store: Store, tiny: Spec, folder: Path
) -> None:
    outcome = run_over_files(kind, runner, store, tiny, folder, include=["*.jpeg"])
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("SourceEmpty", False)
    message = outcome.failure.message
    assert message.startswith(
        "spec.source.s3: no file of s3://" if kind == "s3" else "spec.source.files.uri: no file of "
    )
    assert "(hidden and system files: 6, matching no glob of spec.source.include: 6)" in message
    assert ".jpg (4)" in message and ".png (1)" in message and ".txt (1)" in message


def test_an_archive_of_another_format_is_counted_and_named(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.rar").write_bytes(b"no archive")
    source = {"files": {"uri": f"file://{tmp_path}/in"}, "packed": {"format": "tar"}}
    outcome = runner.run({"source": source, **tiny, "output": {"uri": f"file://{tmp_path}/table"}}, uid="format")
    assert outcome.failure is not None
    assert outcome.failure.class_ == "SourceEmpty"
    assert ".rar (1)" in outcome.failure.message


def test_files_that_come_and_go_while_a_run_reads_are_counted_at_its_end(
    runner: Runner, tiny: Spec, tmp_path: Path
) -> None:
    images = tmp_path / "in"
    images.mkdir()
    for number in range(4):
        (images / f"{number}.jpg").write_bytes(IMAGE)

    def change(progress: Progress) -> None:
        if progress.images_done == 0:
            (images / "new.jpg").write_bytes(IMAGE)
            (images / ".hidden.jpg").write_bytes(IMAGE)
            (images / "0.jpg").unlink(missing_ok=True)
            (images / "1.jpg").write_bytes(IMAGE + b"\0")

    spec = {"source": {"files": {"uri": f"file://{images}"}}, **tiny, "errors": {"maxFailedFraction": 1}}
    spec["output"] = {"uri": f"file://{images}/table"}  # below the source
    outcome = run.run(job(spec, "moving"), runner.environment, change)
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(images / "table")
    assert tables.reasons() == {"0.jpg": ("read", "Missing")}
    assert outcome.progress is not None
    assert outcome.progress.files_added == 1
    manifest = json.loads((images / "table" / "_manifest.json").read_text())
    assert manifest["source"]["changesDuringRun"] == {"added": 1, "removed": 1, "changed": 1}
