"""Where a job runs: the differences between a driver pod and a user's machine, and nothing else."""

from __future__ import annotations

import hashlib
import os
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from featx_api import contract
from featx_api.failures import FailureClass

from featx_job.failures import RunFailure


@dataclass(frozen=True)
class Cluster:
    """A driver pod's identity, by which executors find it and are owned by it."""

    pod_name: str
    namespace: str
    pod_ip: str
    image: str
    executor_template: str


@dataclass(frozen=True)
class Environment:
    """Folders and cores that the program may use.

    Attributes:
        jars: Folder of the jars that executors need in addition to those of the Python packages.
        site: site-packages, where Spark's and BigDL's jars are.
        work: Folder for files of this attempt.
        secrets: Folder with one subdirectory per Secret; None to use AWS_* variables instead.
        claims: Folder with one subdirectory per PersistentVolumeClaim.
        cores: Cores of this machine that a local run may use.
        cluster: The driver pod; None for a local run.
        url_hosts: Hosts that images may be fetched from (`featx_api.names.UrlHost`).
        temporary: Where a local run's JVM puts what a killed one leaves behind; None for the system's folder.
        new_archive: Where a local run's JVM writes an archive of its classes (`spark.class_path`).
    """

    jars: Path
    work: Path
    secrets: Path | None = None
    claims: Path = Path(contract.CLAIMS_FOLDER)
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    cluster: Cluster | None = None
    url_hosts: tuple[str, ...] = ()
    temporary: Path | None = None
    new_archive: Path | None = None
    site: Path = field(default_factory=lambda: Path(sysconfig.get_paths()["purelib"]))

    def secret(self, name: str, field: str, keys: tuple[str, ...]) -> Path:
        """Return the folder of a Secret.

        Args:
            name: The Secret's name.
            field: The field of the spec that names it.
            keys: Keys that it must hold.

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
    """Return the folder that a Secret is mounted at.

    Args:
        secrets: Folder with one subdirectory per Secret.
        name: The Secret's name.
        field: The field of the spec that names it.

    Raises:
        RunFailure: SecretNotFound.
    """
    folder = secrets / name
    if not folder.is_dir():
        raise RunFailure(FailureClass.SECRET_NOT_FOUND, f"{field}: Secret {name} not found in this namespace")
    return folder


def read_checked(path: Path, variable: str, variables: Mapping[str, str]) -> bytes:
    """Return a file that the operator wrote for this attempt.

    Args:
        path: The file, in a mounted ConfigMap that others may be able to change.
        variable: Name of the variable with its SHA-256 digest, which nobody can change in a running pod.
        variables: The driver's.

    Raises:
        RunFailure: JobFileChanged, if this is another file or the operator named no digest.
    """
    expected = variables.get(variable)
    if not expected:
        message = f"{variable} is not set, so {path} cannot be checked; use a job image of the operator's version"
        raise RunFailure(FailureClass.JOB_FILE_CHANGED, message)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunFailure(FailureClass.JOB_FILE_CHANGED, f"{path} cannot be read ({error.strerror})") from None
    if hashlib.sha256(data).hexdigest() != expected:
        message = f"{path} is not the file that the operator wrote: somebody changed the attempt's ConfigMap"
        raise RunFailure(FailureClass.JOB_FILE_CHANGED, message)
    return data


def pod_environment(variables: Mapping[str, str]) -> Environment:
    """Return the environment of a driver pod.

    Spark reads the executors' pod template again for every pod, and a mounted ConfigMap follows changes: so it gets a
    copy of what was checked.

    Args:
        variables: Environment variables set by the operator and the image.

    Raises:
        RunFailure: JobFileChanged.
    """
    work = Path(variables.get(contract.FEATX_WORK, contract.WORK_FOLDER))
    template = Path(variables.get(contract.FEATX_EXECUTOR_POD, contract.EXECUTOR_POD_FILE))
    checked = work / contract.EXECUTOR_POD_KEY
    data = read_checked(template, contract.FEATX_EXECUTOR_POD_SHA256, variables)
    work.mkdir(parents=True, exist_ok=True)
    checked.write_bytes(data)
    cluster = Cluster(
        pod_name=variables[contract.POD_NAME],
        namespace=variables[contract.POD_NAMESPACE],
        pod_ip=variables[contract.POD_IP],
        image=variables[contract.FEATX_JOB_IMAGE],
        executor_template=str(checked),
    )
    return Environment(
        jars=Path(variables[contract.FEATX_JARS]),
        work=work,
        secrets=Path(variables.get(contract.FEATX_SECRETS, contract.SECRETS_FOLDER)),
        cluster=cluster,
        url_hosts=tuple(filter(None, variables.get(contract.FEATX_URL_HOSTS, "").split(","))),
    )
