"""PySpark's private attributes are used in one file only, for the version it was checked with; and the JVM's locale."""

from __future__ import annotations

import os
import re
from pathlib import Path
from unittest.mock import Mock

import pyspark
import pytest
from featx_job.clients import java
from featx_job.clients.java_process import Gateway

JOB_IMAGE = Path(java.__file__).parents[2]
PRIVATE = re.compile(r"SparkContext\._|\._(gateway|jvm|jsc|ensure_initialized)\b")


def test_the_installed_pyspark_is_the_one_whose_private_attributes_were_checked() -> None:
    assert pyspark.__version__ == java.CHECKED


def test_no_other_file_uses_pyspark_s_private_attributes() -> None:
    users = [path for path in JOB_IMAGE.rglob("*.py") if PRIVATE.search(path.read_text())]
    assert users == [Path(java.__file__)]


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("ANSI_X3.4-1968", java.LOCALE), ("ISO-8859-1", java.LOCALE), ("UTF-8", "C"), ("utf8", "C")],
)
def test_a_jvm_can_name_files_in_any_locale(monkeypatch: pytest.MonkeyPatch, encoding: str, expected: str) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("SPARK_LOCAL_IP", java.LOOPBACK)
    monkeypatch.setattr("locale.getencoding", lambda: encoding)
    monkeypatch.setattr(java, "is_running", lambda: False)
    monkeypatch.setattr(java, "JavaProcess", Mock(**{"return_value.gateway.return_value": Gateway(1, "secret")}))
    monkeypatch.setattr(pyspark.SparkContext, "_ensure_initialized", lambda **_: None)
    java.start({})
    assert os.environ["LC_ALL"] == expected
