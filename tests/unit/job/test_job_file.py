"""The driver runs only what the operator wrote: whoever may change ConfigMaps can't change what a run does."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from featx_api import contract
from featx_api.contract import ExitCode, JobSpec, Outcome
from featx_api.resource import FeatureExtraction
from featx_job import __main__ as program
from featx_job.environment import pod_environment, read_checked
from featx_job.failures import RunFailure

from tests.support.bad_resources import changed

TEMPLATE = b"apiVersion: v1\nkind: Pod\n"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """Return the variables of a driver pod whose files are as the operator wrote them."""
    spec = FeatureExtraction.model_validate(changed("spec.suspend", False)).spec
    job = JobSpec(name="good", namespace="team", uid="u-1", attempt=2, spec=spec)
    data = json.dumps(job.to_wire()).encode()
    (tmp_path / "job.json").write_bytes(data)
    (tmp_path / "executor-pod.yaml").write_bytes(TEMPLATE)
    return {
        contract.FEATX_JOB: str(tmp_path / "job.json"),
        contract.FEATX_JOB_SHA256: digest(data),
        contract.FEATX_EXECUTOR_POD: str(tmp_path / "executor-pod.yaml"),
        contract.FEATX_EXECUTOR_POD_SHA256: digest(TEMPLATE),
        contract.FEATX_WORK: str(tmp_path / "work"),
        contract.FEATX_JARS: "/jars",
        contract.FEATX_JOB_IMAGE: "featx/job:1",
        contract.POD_NAME: "good-2-driver",
        contract.POD_NAMESPACE: "team",
        contract.POD_IP: "10.0.0.7",
    }


Reported = list[tuple[Outcome, JobSpec | None]]


@pytest.fixture
def outcomes(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Reported:
    """Return what a driver reports: its outcome, and the job that it ran, if any."""
    reported: Reported = []
    ran: list[JobSpec] = []

    def run(job: JobSpec, *_: object) -> Outcome:
        ran.append(job)
        return Outcome(result="Succeeded")

    def leave(outcome: Outcome) -> None:
        reported.append((outcome, ran[-1] if ran else None))

    monkeypatch.setattr("featx_job.run.run", run)
    monkeypatch.setattr("featx_job.driver_pod.Annotations", lambda *_: None)
    monkeypatch.setattr("featx_job.driver_pod.leave_message", leave)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("featx_job.__main__.os.environ", variables)
    return reported


def test_the_files_that_the_operator_wrote_are_used(outcomes: Reported) -> None:
    assert program.main() is ExitCode.SUCCEEDED
    ((outcome, job),) = outcomes
    assert job is not None
    assert (outcome.result, job.attempt) == ("Succeeded", 2)


@pytest.mark.parametrize("variable", [contract.FEATX_JOB_SHA256, contract.FEATX_EXECUTOR_POD_SHA256])
@pytest.mark.parametrize("change", ["file", "digest", "no digest", "no file"])
def test_any_other_file_is_refused_for_good_and_not_quoted(
    variable: str, change: str, outcomes: Reported, variables: dict[str, str]
) -> None:
    path = Path(variables[variable.removesuffix("_SHA256")])
    match change:
        case "file":
            path.write_bytes(path.read_bytes() + b"hunter2")
        case "digest":
            variables[variable] = "0" * 64
        case "no digest":
            del variables[variable]
        case "no file":
            path.unlink()
    assert program.main() is ExitCode.PERMANENT
    ((outcome, job),) = outcomes
    assert job is None
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("JobFileChanged", False)
    assert str(path) in outcome.failure.message
    assert "hunter2" not in outcome.failure.message


def test_spark_reads_a_copy_of_the_pod_template_that_no_later_change_reaches(variables: dict[str, str]) -> None:
    cluster = pod_environment(variables).cluster
    assert cluster is not None
    Path(variables[contract.FEATX_EXECUTOR_POD]).write_bytes(b"hostNetwork: true")
    assert Path(cluster.executor_template).read_bytes() == TEMPLATE
    assert Path(cluster.executor_template).parent == Path(variables[contract.FEATX_WORK])


def test_an_empty_digest_is_no_digest(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_bytes(b"")
    with pytest.raises(RunFailure, match=r"^FEATX_JOB_SHA256 is not set"):
        read_checked(tmp_path / "job.json", contract.FEATX_JOB_SHA256, {contract.FEATX_JOB_SHA256: ""})
