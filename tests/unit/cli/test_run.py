"""What the commands that run a job on this machine print around it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import yaml
from featx_api.contract import JobSpec, Outcome
from featx_api.failures import FailureClass
from featx_api.resource import FeatureExtraction
from featx_api.status import Failure, Progress
from featx_cli import fit_deepbit, run
from featx_cli.__main__ import main
from featx_cli.errors import CommandError
from featx_job import read_source
from featx_job.environment import Environment
from featx_job.read_source import Reading
from rich.console import Console

from tests.support.bad_resources import changed, good

OnProgress = Callable[[Progress], None]


@pytest.fixture
def resource(tmp_path: Path) -> str:
    file = tmp_path / "resource.yaml"
    file.write_text(yaml.safe_dump(good()))
    return str(file)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> io.StringIO:
    """What a command prints to a pipe, on a machine that needs neither Java nor jars."""
    output = io.StringIO()

    @contextmanager
    def local_environment(*_: Any) -> Iterator[run.LocalMachine]:
        yield run.LocalMachine(Environment(jars=tmp_path, work=tmp_path), Console(file=output), tmp_path / "log")

    monkeypatch.setattr(run, "local_environment", local_environment)
    return output


def progress(written: datetime) -> Progress:
    return Progress(images_done=77, images_total=77, images_per_second=5, precision="f32", last_update_time=written)


def test_a_run_that_had_already_finished_says_so(
    resource: str, printed: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = progress(datetime(2026, 11, 25, 12, tzinfo=UTC))
    monkeypatch.setattr("featx_cli.run.job_run.run", lambda *_, **__: Outcome(result="Succeeded", progress=earlier))
    assert main(["run", resource]) == 0
    assert "already finished at 2026-11-25 12:00:00 UTC" in printed.getvalue()
    assert "77/77" in printed.getvalue() and "starting" not in printed.getvalue()


def test_a_run_that_finishes_now_says_how_long_it_took(
    resource: str, printed: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(job: JobSpec, environment: Environment, on_progress: OnProgress, overwrite: bool) -> Outcome:
        return Outcome(result="Succeeded", progress=progress(datetime.now(UTC) + timedelta(seconds=1)))

    monkeypatch.setattr("featx_cli.run.job_run.run", finish)
    assert main(["run", resource]) == 0
    assert "already" not in printed.getvalue() and " s, computed in f32" in printed.getvalue()


def test_each_line_stays_one_line_in_a_pipe(
    resource: str, printed: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_source, "read", lambda *_: Reading(100, 1.25, 1_000_000, 10**12, 0, 10_000.0))
    assert main(["read", resource]) == 0
    (line,) = printed.getvalue().splitlines()
    assert line.endswith("; 0 unreadable")


@pytest.mark.usefixtures("printed")
@pytest.mark.parametrize(("bits", "way_out"), [(16, "use more --images"), (32, "use fewer --bits or more --images")])
def test_too_few_images_for_the_bits_leave_a_way_out_that_exists(
    bits: int, way_out: str, resource: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    features = np.zeros((4, 8), np.float32)
    monkeypatch.setattr("featx_cli.fit_deepbit.fetch.network", Mock())
    monkeypatch.setattr(fit_deepbit, "_features", lambda *_: [features, features])
    assert main(["fit-deepbit", resource, f"--bits={bits}", "--output=none.onnx"]) == 2
    assert capsys.readouterr().err.endswith(f" directions: {way_out}\n")


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A run whose output holds another table, unless it is overwritten; collects whether it was."""
    tries: list[bool] = []
    failure = Failure(class_=FailureClass.OUTPUT_EXISTS, message="spec.output.uri: taken")

    def attempt(job: JobSpec, environment: Environment, on_progress: OnProgress, overwrite: bool) -> Outcome:
        tries.append(overwrite)
        return Outcome(result="Succeeded") if overwrite else Outcome(result="Failed", failure=failure)

    monkeypatch.setattr("featx_cli.run.job_run.run", attempt)
    monkeypatch.setattr("featx_cli.run.job_run.can_overwrite", lambda *_: True)
    return tries


def test_without_a_terminal_the_option_that_replaces_a_table_is_named(
    resource: str, printed: io.StringIO, refused: list[bool]
) -> None:
    assert main(["run", resource]) == 1
    assert "OutputExists: spec.output.uri: taken; pass --overwrite to replace it" in printed.getvalue()
    assert refused == [False]


def test_the_option_replaces_a_table_without_asking(resource: str, printed: io.StringIO, refused: list[bool]) -> None:
    assert main(["run", resource, "--overwrite"]) == 0
    assert refused == [True]


@pytest.mark.parametrize(
    ("answer", "tries", "code"), [("y\n", [False, True], 0), ("n\n", [False], 1), ("\n", [False], 1), ("", [False], 1)]
)
def test_at_a_terminal_the_user_is_asked_and_no_is_the_default(
    answer: str, tries: list[bool], code: int, resource: str, refused: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()

    @contextmanager
    def local_environment(*_: Any) -> Iterator[run.LocalMachine]:
        yield run.LocalMachine(
            Environment(jars=Path(), work=Path()), Console(file=screen, force_terminal=True), Path("log")
        )

    monkeypatch.setattr(run, "local_environment", local_environment)
    monkeypatch.setattr("sys.stdin", Mock(isatty=lambda: True, readline=lambda: answer))
    assert main(["run", resource]) == code
    assert "Replace this table? [y/N]" in screen.getvalue()
    assert refused == tries


def test_a_table_that_may_not_be_replaced_is_not_offered(
    resource: str, printed: io.StringIO, refused: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featx_cli.run.job_run.can_overwrite", lambda *_: False)
    assert main(["run", resource]) == 1
    assert "--overwrite" not in printed.getvalue()


def test_a_file_and_options_that_describe_a_run_exclude_each_other(
    resource: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", resource, "--output", "elsewhere", "--layer", "pool"]) == 2
    assert "--layer, --output cannot: change the file instead" in capsys.readouterr().err


INSIDE = [
    ({"files": {"uri": "."}}, "features"),
    ({"files": {"uri": "photos/"}}, "photos"),
    ({"s3": {"bucket": "shop"}}, "s3://shop/features"),
    ({"s3": {"bucket": "shop", "prefix": "a/"}}, "s3://shop/a/features"),
]
OUTSIDE = [
    ({"files": {"uri": "photos"}}, "photos-features"),
    ({"files": {"uri": "photos"}}, "."),
    ({"s3": {"bucket": "shop", "prefix": "a/"}}, "s3://shop/ab"),
    ({"files": {"uri": "."}, "keys": ["a.jpg"]}, "features"),
]


@pytest.mark.usefixtures("printed")
@pytest.mark.parametrize(
    ("source", "output", "code"), [*((*case, 2) for case in INSIDE), *((*case, 0) for case in OUTSIDE)]
)
def test_a_run_never_reads_what_it_writes(
    source: dict[str, Any],
    output: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("featx_cli.run.job_run.run", lambda *_, **__: Outcome(result="Succeeded"))
    document = changed("spec.source", source)
    document["spec"]["output"] = {"uri": output}
    (tmp_path / "resource.yaml").write_text(yaml.safe_dump(document))
    assert main(["run", str(tmp_path / "resource.yaml")]) == code
    assert ("spec.output.uri" in capsys.readouterr().err) == (code == 2)


def test_hosts_of_urls_are_written_as_the_chart_has_them() -> None:
    assert run._url_hosts(" Images.example.com:8080, *.example.com,") == ("images.example.com:8080", "*.example.com")
    with pytest.raises(CommandError, match=r"--url-hosts https://a: write hosts as"):
        run._url_hosts("https://a")


@pytest.mark.usefixtures("printed")
def test_an_output_below_a_link_to_the_source_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    document = changed("spec.source", {"files": {"uri": "link"}})
    document["spec"]["output"] = {"uri": "photos/table"}
    (tmp_path / "resource.yaml").write_text(yaml.safe_dump(document))
    assert main(["run", str(tmp_path / "resource.yaml")]) == 2
    assert "is inside the source" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "value"), [("spec.decoding", {"damaged": "keep"}), ("spec.limits", {"megapixels": 60})]
)
def test_a_run_that_decodes_or_admits_other_images_is_another_run(path: str, value: dict[str, Any]) -> None:
    first = run.local_job(FeatureExtraction.model_validate(good()))
    assert run.local_job(FeatureExtraction.model_validate(changed(path, {}))).uid == first.uid
    assert run.local_job(FeatureExtraction.model_validate(changed(path, value))).uid != first.uid
