"""The class path, which must be the same in driver and executor, and the archive built for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from featx_job.environment import Environment
from featx_job.spark import class_path

EXECUTOR = Path(__file__).resolve().parents[4] / "jobimage" / "executor.sh"


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment whose jars are empty files."""
    site = tmp_path / "site"
    for jar in ("jars/b.jar", "jars/B.jar", "site/pyspark/jars/a-1.jar", "site/pyspark/jars/a.jar"):
        (tmp_path / jar).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / jar).touch()
    for part in ("core", "dllib"):
        (site / "bigdl" / "share" / part / "lib").mkdir(parents=True)
        (site / "bigdl" / "share" / part / "lib" / f"{part}.jar").touch()
        (site / "bigdl" / "share" / part / "lib" / "__init__.py").touch()
    return Environment(jars=tmp_path / "jars", work=tmp_path, site=site)


def test_featx_jars_come_first_and_each_folder_is_sorted_by_bytes(environment: Environment) -> None:
    assert [jar.name for jar in class_path.jars(environment)] == [
        "B.jar",
        "b.jar",
        "dllib.jar",
        "core.jar",
        "a-1.jar",
        "a.jar",
    ]


def test_an_executor_has_the_drivers_class_path_and_options(environment: Environment, tmp_path: Path) -> None:
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    java.chmod(0o755)
    names = ("DRIVER_URL", "EXECUTOR_ID", "EXECUTOR_CORES", "EXECUTOR_MEMORY", "APPLICATION_ID")
    pod = ("EXECUTOR_POD_IP", "RESOURCE_PROFILE_ID", "EXECUTOR_POD_NAME")
    variables = {f"SPARK_{name}": "x" for name in names + pod} | {"SPARK_CONF_DIR": "/conf", "LANG": "en_US.UTF-8"}
    variables |= {"JAVA_HOME": str(java.parents[1]), "FEATX_JARS": str(environment.jars)}
    variables |= {"SPARK_HOME": str(environment.site / "pyspark"), "PATH": os.environ["PATH"]}
    options = [f"-Dnumber={number}" for number in range(12)]
    variables |= {f"SPARK_JAVA_OPT_{number}": options[number] for number in (10, 2, 0, 11, 1, 3, 9, 4, 8, 5, 7, 6)}
    ran = subprocess.run(["bash", EXECUTOR, "executor"], env=variables, capture_output=True, text=True, check=True)
    arguments = ran.stdout.splitlines()
    assert arguments[arguments.index("-cp") + 1] == class_path.path(environment)
    assert "-Dspark.master=k8s://executor" in arguments
    assert "-Dspark.decommission.enabled=true" in arguments
    assert arguments[: len(options)] == options, "in the order that the driver has chosen"


def test_an_archive_is_used_only_if_built_from_the_same_jars(environment: Environment) -> None:
    assert class_path.options(environment) == ()
    archive = class_path.archive(environment)
    archive.touch()
    assert class_path.options(environment)[0] == f"-XX:SharedArchiveFile={archive}"
    (environment.jars / "b.jar").write_bytes(b"another")
    assert class_path.options(environment) == ()


def test_compiler_directives_beside_the_jars_are_used(environment: Environment) -> None:
    file = environment.jars / "compiler.json"
    file.touch()
    assert class_path.options(environment) == (
        "-XX:+UnlockDiagnosticVMOptions",
        f"-XX:CompilerDirectivesFile={file}",
    )
