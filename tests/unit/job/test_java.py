"""The Java side's own unit tests, run by Maven as part of these."""

from __future__ import annotations

import re
import subprocess
import sysconfig

from featx_cli.java_build import JAVA_SOURCE


def test_the_java_unit_tests_pass() -> None:
    site = sysconfig.get_paths()["purelib"]
    command = ["mvn", "--quiet", "--batch-mode", "-f", str(JAVA_SOURCE / "pom.xml"), f"-Dfeatx.site={site}", "test"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout[-4000:] + outcome.stderr[-2000:]


def test_each_java_class_logs_under_its_own_name() -> None:
    loggers = [
        (path.stem, name)
        for path in (JAVA_SOURCE / "src" / "main").rglob("*.java")
        for name in re.findall(r"getLogger\((\w+)\.class\)", path.read_text())
    ]
    assert len(loggers) > 3
    assert [name for name, logger in loggers if name != logger] == []
