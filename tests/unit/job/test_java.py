"""The Java side's own unit tests, run by Maven as part of these."""

from __future__ import annotations

import subprocess
import sysconfig

from featx_cli.java_build import JAVA_SOURCE


def test_the_java_unit_tests_pass() -> None:
    site = sysconfig.get_paths()["purelib"]
    command = ["mvn", "--quiet", "--batch-mode", "-f", str(JAVA_SOURCE / "pom.xml"), f"-Dfeatx.site={site}", "test"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout[-4000:] + outcome.stderr[-2000:]
