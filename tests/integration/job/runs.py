"""Runs of the job's program on this machine: specs in short, outcomes, and the tables that were written."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
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

Spec = dict[str, Any]
Rows = list[dict[str, Any]]


class Tables(NamedTuple):
    """What a run left at its output."""

    features: arrow.Table
    quarantine: Rows

    @property
    def rows(self) -> Rows:
        return list(self.features.to_pylist())

    def reasons(self) -> dict[str, tuple[str, str]]:
        """Returns stage and reason by key."""
        return {row["key"]: (row["stage"], row["reason"]) for row in self.quarantine}

    def row(self, key: str) -> dict[str, Any]:
        (found,) = [row for row in self.rows if row["key"] == key]
        return found


@dataclass
class Runner:
    """Runs specs one after another; Spark's JVM stays between them, with the nets that it has converted.

    Attributes:
        environment: Where runs happen.
        seen: The progress that the last run reported.
        patience: Seconds that runs wait for a store, unless they say so themselves.
    """

    environment: Environment
    seen: list[Progress] = field(default_factory=list)
    patience: int = 3

    def patient(self, seconds: int) -> Runner:
        """Returns one that waits so long for a store that does not answer."""
        return replace(self, patience=seconds)

    def run(self, spec: Spec, uid: str = "uid-1", attempt: int = 1) -> Outcome:
        self.seen.clear()
        spec = spec | {"execution": {"storeTimeoutSeconds": self.patience, **spec.get("execution", {})}}
        return run.run(job(spec, uid, attempt), self.environment, self.seen.append)


def job(spec: Spec, uid: str = "uid-1", attempt: int = 1) -> JobSpec:
    parsed = FeatureExtractionSpec.model_validate(spec)
    return JobSpec(name="catalog", namespace="tests", uid=uid, attempt=attempt, spec=parsed)


def run_alone(
    spec: Spec, uid: str, folder: Path, secrets: Path | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Runs a spec in a process of its own, as a driver does; returns the outcome as it is written.

    Args:
        spec: The run.
        uid: Of the run.
        folder: For its files.
        secrets: Folder of Secrets, if there are any.
        environment: Variables beside this process's.
    """
    told = {"job": job(spec, uid).to_wire(), "jars": str(jars()), "work": str(folder / "work")}
    told |= {"secrets": str(secrets)} if secrets else {}
    (folder / "job.json").write_text(json.dumps(told))
    command = [sys.executable, "-m", "tests.integration.job.program_process"]
    command += [str(folder / "job.json"), str(folder / "outcome.json")]
    variables = {**os.environ, **(environment or {})}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=variables)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return dict(json.loads((folder / "outcome.json").read_text()))


def model(files: CaffeFiles) -> Spec:
    """Returns the spec's words for a model that lies on this machine."""
    return {
        "prototxt": f"file://{files.prototxt}",
        "weights": f"file://{files.caffemodel}",
        "sha256": hashlib.sha256(files.caffemodel.read_bytes()).hexdigest(),
    }


def rows_of_folder(folder: Path) -> Tables:
    """Returns the tables below a folder."""
    return Tables(table_of_folder(folder), quarantine_of_folder(folder))


def quarantine_of_folder(folder: Path, below: str = "") -> Rows:
    """Returns the quarantine's rows below a folder, or those of a run that has updated a table."""
    return [row for path in parts(folder / "_quarantine" / below) for row in parquet.read_table(path).to_pylist()]


def rows_of_delta(store: Store, uri: str) -> Rows:
    """Returns the rows of a bucket's Delta table by their keys, as a library that is not ours reads them there."""
    reached = {"AWS_ENDPOINT_URL": store.endpoint, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    known_as = {"AWS_ACCESS_KEY_ID": ADMIN[0], "AWS_SECRET_ACCESS_KEY": ADMIN[1]}
    found = deltalake.DeltaTable(uri, storage_options=reached | known_as).to_pyarrow_table()
    return list(found.sort_by("key").to_pylist())


def rows_of_bucket(store: Store, bucket: str, prefix: str) -> Tables:
    """Returns the tables below a prefix."""
    with copied(f"{prefix}/", store.keys(bucket, f"{prefix}/"), lambda key: store.get(bucket, key)) as folder:
        return rows_of_folder(folder)


def rows_of_hdfs(files: Hdfs, folder: str) -> Tables:
    """Returns the tables below a folder of HDFS."""
    with copied(f"{folder}/", files.files(folder), files.get) as copy:
        return rows_of_folder(copy)
