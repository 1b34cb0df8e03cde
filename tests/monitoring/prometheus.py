"""A Prometheus process, and promtool."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from examples.cluster import binaries

PORT = 19090
URL = f"http://127.0.0.1:{PORT}/api/v1"


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`."""
    return str(binaries.folder_of(binaries.PROMETHEUS) / name)


def promtool(*arguments: str) -> str:
    """Runs promtool; returns its output, and raises AssertionError with it if it finds fault."""
    outcome = subprocess.run([program("promtool"), *arguments], text=True, capture_output=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


class Prometheus:
    """Scrapes every two seconds, with the labels that a PodMonitor adds.

    Args:
        folder: For its data.
        targets: Addresses by the names of their pods.
        rules: Groups of rules.
    """

    def __init__(self, folder: Path, targets: dict[str, str], rules: dict[str, Any]) -> None:
        self._log = folder / "prometheus.log"
        (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        targets_ = [
            {"targets": [address], "labels": {"namespace": "featx-system", "pod": pod, "container": "operator"}}
            for pod, address in targets.items()
        ]
        scrape = {"job_name": "featx-system/featx-operator", "honor_labels": True, "static_configs": targets_}
        config = {
            "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [scrape],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        promtool("check", "config", str(folder / "prometheus.yaml"))
        command = [
            program("prometheus"),
            f"--config.file={folder}/prometheus.yaml",
            f"--storage.tsdb.path={folder}/data",
        ]
        command += [f"--web.listen-address=127.0.0.1:{PORT}", "--log.level=warn"]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/-/ready", timeout=2).close()
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise AssertionError(f"Prometheus did not start: {self._log.read_text()}")

    def get(self, path: str, **parameters: str) -> Any:
        """The data of a response of its API.

        Raises:
            AssertionError: It refuses the request; the message is its own.
        """
        try:
            with urllib.request.urlopen(f"{URL}/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["error"]) from None

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now."""
        return list(self.get("query", query=expression)["result"])

    def stop(self) -> None:
        """Stops it."""
        self._process.terminate()
        self._process.wait(30)
