"""`featx run` as people type it: without YAML, with relative paths, twice at once, killed, and changed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from tests.integration.job import drawings
from tests.integration.job.runs import rows_of_folder
from tests.integration.job.store import ADMIN, Store
from tests.support.process_tree import signal_tree
from tests.support.tiny_models import write_tiny_extractor

COMMAND = [sys.executable, "-m", "featx_cli", "run"]
OPTIONS = ["--images", "meine Bilder/größe ☃ 100% #1", "--model", "net/tiny_extractor.prototxt", "--layer", "pool"]
FAST, MANY = 3, 300


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A working directory with images, a model, and a folder for temporary files of its own."""
    for name in ("net", "tmp", "meine Bilder/größe ☃ 100% #1/unter ordner"):
        (tmp_path / name).mkdir(parents=True)
    write_tiny_extractor(tmp_path / "net")
    add_images(tmp_path, FAST)
    return tmp_path


def add_images(project: Path, count: int) -> None:
    folder = project / "meine Bilder/größe ☃ 100% #1/unter ordner"
    data = drawings.encoded(drawings.scene())
    for number in range(count):
        (folder / f"bild {number} ü.jpg").write_bytes(data)


def started(project: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    default = {"TMPDIR": str(project / "tmp"), "COLUMNS": "250", "LC_ALL": "C.UTF-8"}
    environment = {**os.environ, **default, **(variables or {})}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
    )


def run(project: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> tuple[int, str]:
    process = started(project, *arguments, variables=variables)
    out, errors = process.communicate(timeout=240)
    return process.returncode, out + errors


def test_images_and_a_model_are_enough_and_the_resource_is_printed_and_saved(project: Path) -> None:
    # The other tests run in C.UTF-8.
    code, shown = run(project, *OPTIONS, "--output", "out/täble 1", "--write", "saved.yaml", variables={"LC_ALL": "C"})
    assert code == 0, shown
    assert f"{FAST} features, 0 in quarantine" in shown
    rows = rows_of_folder(project / "out/täble 1").rows
    assert sorted(row["key"] for row in rows) == [f"unter ordner/bild {number} ü.jpg" for number in range(FAST)]
    saved = yaml.safe_load((project / "saved.yaml").read_text())
    assert yaml.safe_load(shown.partition("\nspec.extractor.model.sha256: ")[0]) == saved
    assert saved["spec"]["extractor"]["model"]["sha256"] in shown
    again, shown = run(project, "saved.yaml")
    assert again == 0, shown
    assert "already finished" in shown


def test_a_changed_resource_names_its_changes_and_replaces_the_table_only_on_request(project: Path) -> None:
    assert run(project, *OPTIONS, "--output", "out")[0] == 0
    before = rows_of_folder(project / "out").rows
    changed = [*OPTIONS[:-1], "hash", "--output", "out"]
    code, shown = run(project, *changed)
    assert code == 1
    assert "OutputExists: --output" in shown
    assert "it differs in --layer" in shown and "--overwrite" in shown
    assert rows_of_folder(project / "out").rows == before
    code, shown = run(project, *OPTIONS[:-1], "none", "--output", "out", "--overwrite")
    assert code == 1 and "ModelInvalid" in shown
    assert rows_of_folder(project / "out").rows == before
    code, shown = run(project, *changed, "--overwrite")
    assert code == 0, shown
    assert {len(row["feature"]) for row in rows_of_folder(project / "out").rows} == {20}


def test_a_second_process_notices_the_first_and_a_killed_one_is_resumed_and_cleaned_up(project: Path) -> None:
    add_images(project, MANY)
    arguments = [*OPTIONS, "--output", "out"]
    first = started(project, *arguments)
    wait_for(project, first, "_featx/*/done/*.json")
    signal_tree(first.pid, signal.SIGSTOP)  # however slow the machine is, it is not done before the second one starts
    log = Path(f"/proc/{first.pid}/fd/1").readlink()
    before = log.stat()
    code, shown = run(project, *arguments)
    assert code == 1, shown
    assert re.search(rf"OutputBusy: --output: .*/out .*process {first.pid} on ", shown)
    assert Path(f"/proc/{first.pid}/fd/1").readlink() == log and os.path.samestat(log.stat(), before)
    signal_tree(first.pid, signal.SIGKILL)
    first.communicate()
    assert len(list((project / "tmp").glob("featx-run-*"))) == 1
    code, shown = run(project, *arguments)
    assert code == 0, shown
    assert list((project / "tmp").glob("featx-run-*")) == []
    assert len(rows_of_folder(project / "out").rows) == MANY
    assert list((project / "out").glob("_featx/*/locks/*")) == []


def test_links_to_folders_are_counted_and_a_failure_names_the_option_that_allows_it(project: Path) -> None:
    folder = project / "meine Bilder/größe ☃ 100% #1"
    (folder / "again").symlink_to("unter ordner")
    (folder / "broken.jpg").write_bytes(b"no image")
    code, shown = run(project, *OPTIONS, "--output", "out")
    assert code == 1, shown
    assert "TooManyFailures: 1 of 4 images is in quarantine, more than --max-failed-fraction 0.1 allows" in shown
    code, shown = run(project, *OPTIONS, "--output", "out", "--max-failed-fraction", "0.25")
    assert code == 0, shown
    assert f"{FAST} features, 1 in quarantine" in shown
    assert "1 file left out (hidden, not selected, or links to folders)" in shown
    manifest = json.loads((project / "out/_manifest.json").read_text())
    assert manifest["source"]["skipped"] == {"notFile": 1}


MOMENTS: dict[str, Callable[[Path, int], bool]] = {
    "importing": lambda _, pid: "pydantic_core" in Path(f"/proc/{pid}/maps").read_text(),
    "reading its resource": lambda project, _: any((project / "tmp").glob("featx-run-*")),
    "starting the JVM": lambda project, _: any((project / "tmp").glob("featx-java-*")),
    "starting Spark": lambda project, _: not any((project / "tmp").glob("featx-java-*")),
    "computing": lambda project, _: any((project / "out").glob("_featx/*/done/*.json")),
}


def test_ctrl_c_ends_a_run_at_any_moment_with_one_line_and_leaves_no_process(project: Path) -> None:
    add_images(project, MANY)
    for moment in MOMENTS:
        process = started(project, *OPTIONS, "--output", "out")
        for earlier, has_come in MOMENTS.items():
            while not has_come(project, process.pid):
                assert process.poll() is None, earlier
                time.sleep(0.01)
            if earlier == moment:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, moment
        assert re.fullmatch("interrupted(; run the same command again to resume)?\n", errors), moment
        assert processes_with(str(project / "tmp")) == [], moment
    assert list((project / "tmp").iterdir()) == []


def processes_with(variable: str) -> list[str]:
    """The command lines of the processes that have a text in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return found


def wait_for(project: Path, process: subprocess.Popen[str], pattern: str) -> None:
    deadline = time.monotonic() + 120
    while not list((project / "out").glob(pattern)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


def test_a_bucket_is_read_and_written_with_aws_variables(project: Path, store: Store) -> None:
    images = {f"photos of 2026/bild {number} ü.jpg": drawings.encoded(drawings.scene()) for number in range(FAST)}
    store.put("first-steps", {**images, "photos of 2026.jpg": b"next to the folder"})
    variables = {
        "AWS_ACCESS_KEY_ID": ADMIN[0],
        "AWS_SECRET_ACCESS_KEY": ADMIN[1],
        "AWS_ENDPOINT_URL": store.endpoint,
    }
    addresses = ["--images", "s3://first-steps/photos of 2026", "--output", "s3://first-steps/out/table 1"]
    code, shown = run(project, *addresses, *OPTIONS[2:], variables=variables)
    assert code == 0, shown
    assert f"{FAST} features, 0 in quarantine" in shown
    assert ADMIN[1] not in shown
    assert "out/table 1/_SUCCESS" in store.keys("first-steps", "out/")
    assert [key for key in store.keys("first-steps", "out/") if "/locks/" in key] == []
