"""PySpark's private attributes are used in one file only, for the version it was checked with."""

from __future__ import annotations

import re
from pathlib import Path

import pyspark
from featx_job.clients import java

JOB_IMAGE = Path(java.__file__).parents[2]
PRIVATE = re.compile(r"SparkContext\._|\._(gateway|jvm|jsc|ensure_initialized)\b")


def test_the_installed_pyspark_is_the_one_whose_private_attributes_were_checked() -> None:
    assert pyspark.__version__ == java.CHECKED


def test_no_other_file_uses_pyspark_s_private_attributes() -> None:
    users = [path for path in JOB_IMAGE.rglob("*.py") if PRIVATE.search(path.read_text())]
    assert users == [Path(java.__file__)]
