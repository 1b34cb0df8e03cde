"""Where a job runs: what differs between a driver pod and a person's machine, and nothing else."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from featx_api.contract import CLAIMS_FOLDER, EXECUTOR_POD_FILE, SECRETS_FOLDER
from featx_api.failures import FailureClass

from featx_job.failures import RunFailure


@dataclass(frozen=True)
class Cluster:
    """A driver pod's own facts, which its executors need to find it and to be owned by it."""

    pod_name: str
    namespace: str
    pod_ip: str
    image: str
    executor_template: str


@dataclass(frozen=True)
class Environment:
    """What the program finds around it.

    Attributes:
        jars: Folder of the jars that executors need beside those of the Python packages.
        site: site-packages, where Spark's and BigDL's jars are.
        work: Folder for files of this attempt.
        secrets: Folder with one folder a Secret; None where there are none, and AWS_* variables count.
        claims: Folder with one folder a PersistentVolumeClaim.
        cores: Cores of this machine that a local run may use.
        cluster: Facts of the driver pod; None for a local run.
        new_archive: Where a local run's JVM is to leave an archive of its classes (`classes`).
    """

    jars: Path
    work: Path
    secrets: Path | None = None
    claims: Path = Path(CLAIMS_FOLDER)
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    cluster: Cluster | None = None
    new_archive: Path | None = None
    site: Path = field(default_factory=lambda: Path(sysconfig.get_paths()["purelib"]))

    def secret(self, name: str, field: str, keys: tuple[str, ...]) -> Path:
        """Returns the folder of a Secret.

        Args:
            name: Of the Secret.
            field: Where in the spec it is named.
            keys: That it has to hold.

        Raises:
            RunFailure: SecretNotFound or SecretIncomplete.
        """
        if self.secrets is None:
            raise RunFailure(FailureClass.SECRET_NOT_FOUND, f"{field}: pass the directory of Secrets with --secrets")
        folder = mounted(self.secrets, name, field)
        if missing := [key for key in keys if not (folder / key).is_file()]:
            raise RunFailure(
                FailureClass.SECRET_INCOMPLETE,
                f"{field}: Secret {name} has no {', '.join(missing)}; add these keys to it",
            )
        return folder


def mounted(secrets: Path, name: str, field: str) -> Path:
    """Returns the folder that a Secret is mounted at.

    Args:
        secrets: Folder with one folder a Secret.
        name: Of the Secret.
        field: Where in the spec it is named.

    Raises:
        RunFailure: SecretNotFound.
    """
    folder = secrets / name
    if not folder.is_dir():
        raise RunFailure(FailureClass.SECRET_NOT_FOUND, f"{field}: Secret {name} not found in this namespace")
    return folder


def pod_environment(variables: Mapping[str, str]) -> Environment:
    """Returns the environment of a driver pod.

    Args:
        variables: Variables that the operator and the image set.
    """
    cluster = Cluster(
        pod_name=variables["POD_NAME"],
        namespace=variables["POD_NAMESPACE"],
        pod_ip=variables["POD_IP"],
        image=variables["FEATX_JOB_IMAGE"],
        executor_template=variables.get("FEATX_EXECUTOR_POD", EXECUTOR_POD_FILE),
    )
    return Environment(
        jars=Path(variables["FEATX_JARS"]),
        work=Path(variables.get("FEATX_WORK", "/var/featx")),
        secrets=Path(variables.get("FEATX_SECRETS", SECRETS_FOLDER)),
        cluster=cluster,
    )
