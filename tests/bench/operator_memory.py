"""Measures the operator's memory beside a thousand resources of a namespace that are as large as the API server takes.

Runs in the cluster's network. The resources are suspended: they start nothing, and the operator reads all of them. It
is started again at the end, since a start reads them at once.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from featx_api import GROUP, PLURAL, VERSION
from kubernetes import client, config

from tests.bench import machine
from tests.e2e.names import NAMESPACE
from tests.e2e.polling import eventually
from tests.e2e.run.harness import kubectl

RESOURCES = 1000
KEYS = 370  # of 1,000 characters; source.keys takes 384 KiB in all
ANNOTATION = 250_000  # bytes; an object's annotations take 256 KiB in all
PREFIX = "large"
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"
OPERATOR = ("--namespace=featx-system", "--selector=app.kubernetes.io/name=featx")


def main() -> int:
    """Creates the resources, measures, deletes them and writes the result; returns the exit code."""
    config.load_kube_config()  # type: ignore[no-untyped-call]
    resources: Any = client.CustomObjectsApi()
    before = memory()
    try:
        for number in range(RESOURCES):
            resources.create_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, large(number))
        eventually(lambda: reported(resources) == RESOURCES, "a status in each resource", 1200)
        watched = memory()
        kubectl("delete", "pod", *OPERATOR, "--wait=true")
        small = f"{PREFIX}-after"
        resources.create_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, large(0, small, keys=1))
        eventually(lambda: "Suspended" in kubectl("get", "fx", small, "--output=json"), "the operator to start", 600)
        started = memory()
    finally:
        names = kubectl("get", "fx", "--output=name").split()
        for start in range(0, len(names), 200):
            kubectl("delete", *names[start : start + 200], "--wait=false")
    write({"before": before, "withResources": watched, "startedBesideThem": started, "restarts": restarts()})
    return 0


def large(number: int, name: str = "", keys: int = KEYS) -> dict[str, Any]:
    """A resource at the size limits."""
    sha256 = "0" * 64
    model = {"onnx": "s3://models/net.onnx", "sha256": sha256}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "FeatureExtraction",
        "metadata": {"name": name or f"{PREFIX}-{number:04}", "annotations": {"example.com/note": "x" * ANNOTATION}},
        "spec": {
            "suspend": True,
            "source": {"s3": {"bucket": "images"}, "keys": [f"{key:04}".ljust(1000, "k") for key in range(keys)]},
            "extractor": {"model": model, "layer": "pool"},
            "output": {"uri": f"s3://features/{number}"},
        },
    }


def reported(resources: Any) -> int:
    """The number of the resources that have conditions, read in pages as each has 600 kB."""
    count: int = 0
    token = ""
    while True:
        page = resources.list_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, limit=50, _continue=token)
        count += sum(
            item["metadata"]["name"].startswith(PREFIX) and bool((item.get("status") or {}).get("conditions"))
            for item in page["items"]
        )
        token = str(page["metadata"].get("continue") or "")
        if not token:
            return count


def memory() -> dict[str, float]:
    """The operator's resident memory in MiB, now and at most since its start."""
    command = ("exec", "--namespace=featx-system", "deploy/featx-operator", "--", "cat", "/proc/1/status")
    status = eventually(lambda: kubectl(*command, check=False), "the operator's status", 120)
    return {
        name: round(int(status.split(f"{key}:")[1].split()[0]) / 1024, 1)
        for name, key in (("resident", "VmRSS"), ("peak", "VmHWM"))
    }


def restarts() -> int:
    """How often the operator's container was started again since its pod exists."""
    pods = json.loads(kubectl("get", "pods", *OPERATOR, "--output=json"))["items"]
    return sum(int(status["restartCount"]) for pod in pods for status in pod["status"]["containerStatuses"])


def write(result: dict[str, Any]) -> None:
    """Writes the numbers as JSON and as a page."""
    size = round(len(json.dumps(large(0))) / 1024)
    date = datetime.now(UTC).date().isoformat()
    facts = {"date": date, "machine": machine.described(), "resources": RESOURCES, "kibibytesEach": size, **result}
    (FOLDER / "operator-memory.json").write_text(json.dumps(facts, indent=2) + "\n")
    rows = "".join(
        f"| {what} | {result[key]['resident']} MiB | {result[key]['peak']} MiB |\n"
        for what, key in (
            ("before", "before"),
            (f"with {RESOURCES} resources of {size} KiB in one namespace", "withResources"),
            ("started again beside them", "startedBesideThem"),
        )
    )
    (FOLDER / "operator-memory.md").write_text(
        f"# The operator's memory\n\n`make bench WHAT=memory`, {date}: {machine.described()}. "
        f"The chart's limit is 256 MiB; {result['restarts']} restarts.\n\n"
        f"| when | resident | most so far |\n|---|---|---|\n{rows}"
    )


if __name__ == "__main__":
    sys.exit(main())
