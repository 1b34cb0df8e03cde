"""Runs the job on this machine: short specs in, outcomes and the tables written out."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import deltalake
import pyarrow as arrow
import pyarrow.parquet as parquet
from featx_api.contract import JobSpec, Outcome
from featx_api.spec import FeatureExtractionSpec
from featx_api.status import Progress
from featx_cli.java_build import jars
from featx_job import run
from featx_job.environment import Environment

from tests.integration.job.store import ADMIN, Store
from tests.support.models import CaffeFiles
from tests.support.stores.hdfs import Hdfs
from tests.support.tables import copied, parts, table_of_folder

LOG = "log.txt"  # what a process of its own printed

Spec = dict[str, Any]
Rows = list[dict[str, Any]]


class Tables(NamedTuple):
    """The tables that a run wrote."""

    features: arrow.Table
    quarantine: Rows

    @property
    def rows(self) -> Rows:
        return list(self.features.to_pylist())

    def reasons(self) -> dict[str, tuple[str, str]]:
        """Stage and reason of each quarantined image, by key."""
        return {row["key"]: (row["stage"], row["reason"]) for row in self.quarantine}

    def row(self, key: str) -> dict[str, Any]:
        (row,) = [row for row in self.rows if row["key"] == key]
        return row


@dataclass
class Runner:
    """Runs specs one after another in the same Spark JVM, which caches the nets it has converted.

    Attributes:
        environment: Jars, work folder and Secrets of every run.
        reports: Progress reports of the last run.
        store_timeout: Default for `execution.storeTimeoutSeconds`.
    """

    environment: Environment
    reports: list[Progress] = field(default_factory=list)
    store_timeout: int = 3

    def with_store_timeout(self, seconds: int) -> Runner:
        """A runner that waits this long for an unresponsive store."""
        return replace(self, store_timeout=seconds)

    def run(self, spec: Spec, uid: str = "uid-1", attempt: int = 1) -> Outcome:
        self.reports.clear()
        spec = spec | {"execution": {"storeTimeoutSeconds": self.store_timeout, **spec.get("execution", {})}}
        return run.run(job(spec, uid, attempt), self.environment, self.reports.append)


def job(spec: Spec, uid: str = "uid-1", attempt: int = 1) -> JobSpec:
    parsed = FeatureExtractionSpec.model_validate(spec)
    return JobSpec(name="catalog", namespace="tests", uid=uid, attempt=attempt, spec=parsed)


def run_alone(
    spec: Spec, uid: str, folder: Path, secrets: Path | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Runs a spec in a separate process, like a driver, and returns its outcome as JSON.

    Args:
        spec: The run's spec.
        uid: The run's uid.
        folder: Working directory of the run.
        secrets: Folder of Secrets, if any.
        environment: Variables to add to this process's own.
    """
    with driver_process(folder, environment=environment) as driver:
        return driver.run(spec, uid, folder, secrets)


@dataclass
class DriverProcess:
    """A separate process that runs specs one after another in one JVM.

    Attributes:
        process: The process; it reads jobs from its standard input.
        log_file: What it and its JVM print.
        claims: Folder of claims, if any.
    """

    process: subprocess.Popen[str]
    log_file: Path
    claims: Path | None = None

    def run(self, spec: Spec, uid: str, folder: Path, secrets: Path | None = None) -> dict[str, Any]:
        """Runs a spec and returns its outcome as JSON.

        Args:
            spec: The run's spec.
            uid: The run's uid.
            folder: Working directory of the run.
            secrets: Folder of Secrets, if any.
        """
        description = {"job": job(spec, uid).to_wire(), "jars": str(jars()), "work": str(folder / "work")}
        description |= {"secrets": str(secrets)} if secrets else {}
        description |= {"claims": str(self.claims)} if self.claims else {}
        job_file, outcome_file = folder / f"{uid}.job.json", folder / f"{uid}.outcome.json"
        job_file.write_text(json.dumps(description))
        assert self.process.stdin is not None
        self.process.stdin.write(f"{job_file} {outcome_file}\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + 240
        while not outcome_file.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log_file.read_text()[-3000:]
            time.sleep(0.02)
        return dict(json.loads(outcome_file.read_text()))


@contextmanager
def driver_process(
    folder: Path, claims: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[DriverProcess]:
    """Starts a separate process for runs; ends it afterwards.

    Args:
        folder: Folder for its log.
        claims: Folder of claims, if any.
        environment: Variables to add to this process's own.
    """
    log_file = folder / LOG
    command = [sys.executable, "-m", "tests.integration.job.program_process"]
    with log_file.open("w") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield DriverProcess(process, log_file, claims)
    finally:
        try:
            process.communicate(timeout=30)  # closes its standard input, and so ends it
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def model(files: CaffeFiles) -> Spec:
    """The `model` section of a spec for files on this machine."""
    return {
        "prototxt": f"file://{files.prototxt}",
        "weights": f"file://{files.caffemodel}",
        "sha256": hashlib.sha256(files.caffemodel.read_bytes()).hexdigest(),
    }


def rows_of_folder(folder: Path) -> Tables:
    """Reads the tables written to a folder."""
    return Tables(table_of_folder(folder), quarantine_of_folder(folder))


def quarantine_of_folder(folder: Path, below: str = "") -> Rows:
    """Reads the quarantine below a folder; `below` names the run that updated an incremental table."""
    return [row for path in parts(folder / "_quarantine" / below) for row in parquet.read_table(path).to_pylist()]


def rows_of_delta(store: Store, uri: str) -> Rows:
    """Reads a Delta table in a bucket with delta-rs, sorted by key."""
    endpoint = {"AWS_ENDPOINT_URL": store.endpoint, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    credentials = {"AWS_ACCESS_KEY_ID": ADMIN[0], "AWS_SECRET_ACCESS_KEY": ADMIN[1]}
    table = deltalake.DeltaTable(uri, storage_options=endpoint | credentials).to_pyarrow_table()
    return list(table.sort_by("key").to_pylist())


def rows_of_bucket(store: Store, bucket: str, prefix: str) -> Tables:
    """Reads the tables written below a prefix of a bucket."""
    with copied(f"{prefix}/", store.keys(bucket, f"{prefix}/"), lambda key: store.get(bucket, key)) as folder:
        return rows_of_folder(folder)


def rows_of_hdfs(files: Hdfs, folder: str) -> Tables:
    """Reads the tables written to a folder of HDFS."""
    with copied(f"{folder}/", files.files(folder), files.get) as copy:
        return rows_of_folder(copy)
