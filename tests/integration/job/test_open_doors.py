"""Where a driver with a cluster's settings listens, and what its UI lets others do."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from featx_cli.java_build import jars

POD_IP = "127.0.0.2"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a driver with a cluster's settings listens on, but with Spark's executor in its own JVM."""
    folder = tmp_path_factory.mktemp("driver")
    command = [sys.executable, "-m", "tests.integration.job.listening_driver", str(folder), str(jars()), POD_IP]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=os.environ)
    lines = [line for line in finished.stdout.splitlines() if line.startswith("REPORT ")]
    assert lines, finished.stderr[-3000:]
    return dict(json.loads(lines[0].removeprefix("REPORT ")))


def test_the_ui_listens_on_loopback_and_all_else_on_the_pods_address(report: dict[str, Any]) -> None:
    addresses = {port: address.removeprefix("::ffff:") for address, port in report["sockets"]}
    assert addresses.pop(report["ui"]) == "127.0.0.1"
    on_pod = [port for port, address in addresses.items() if address == POD_IP]
    assert len(on_pod) == 2  # scheduler and blocks, which authenticate
    assert {address for address in addresses.values() if address != POD_IP} <= {"127.0.0.1"}  # py4j, with its token


def test_the_ui_is_readable_where_it_is_forwarded_to(report: dict[str, Any]) -> None:
    assert report["page"] == 200


def test_a_job_runs_authenticated_and_survives_its_kill_links(report: dict[str, Any]) -> None:
    assert report["survives"] is True


def test_driver_and_executors_read_the_same_key_from_the_file_at_their_start(report: dict[str, Any]) -> None:
    assert report["keys"] == [base64.b64encode(b"ab" * 32).decode()] * 3
