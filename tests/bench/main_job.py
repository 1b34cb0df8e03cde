"""Times the main job from apply to driver, first image and table, and compares its speed with the bare nets.

Runs in the cluster's network. The bare nets run between the runs of the job, in a JVM started by this process on the
same two cores, so that both see the same machine.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from featx_api import GROUP, PLURAL, VERSION
from kubernetes import client, config
from minio import Minio

from examples.cluster.reach import reachable
from tests.bench import machine
from tests.e2e.names import ACCESS_KEY, NAMESPACE, SECRET_KEY, STORE_SECRET
from tests.e2e.run.harness import Store, apply, contents_by_name, kubectl, resource
from tests.integration.nets.engine import Engine, running
from tests.support import images
from tests.support.models import CaffeFiles, res10, resnet50_thin
from tests.support.prepared_nets import file_of, load_detector, load_extractor

IMAGES = 341
ROUNDS = 3
BATCH = 8
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"


def main() -> int:
    """Runs the benchmark and writes its results; returns the exit code."""
    with reachable("store", "s3", 8333) as address:
        store = Store(Minio(address, ACCESS_KEY, SECRET_KEY, secure=False))
        detector, extractor = specs(store)
        files = contents_by_name(images.paths(IMAGES))
        rounds, bare = [], []
        for index in range(ROUNDS):
            bare.append(bare_rates())
            rounds.append(timed(f"bench-{index}", store, files, detector, extractor))
            sys.stdout.write(json.dumps(rounds[-1]) + "\n")
    write(summary(rounds, bare, len(files)))
    return 0


def specs(store: Store) -> tuple[dict[str, Any], dict[str, Any]]:
    """Uploads models and credentials; returns the spec's detector and extractor."""
    values = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    kubectl(
        "apply",
        "-f",
        "-",
        stdin={
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": STORE_SECRET, "labels": {"featx.dev/store": "true"}},
            "stringData": values,
        },
    )
    detector = {
        "model": store.put_model("res10", res10()),
        "input": {"mean": [104, 177, 123]},
        "crop": {"margin": 0.1, "minArea": 0},
    }
    model = store.put_model("resnet50_thin", resnet50_thin())
    return detector, {"model": model, "input": {"mean": [104, 117, 123]}, "layer": "pool", "binarize": {}}


def timed(name: str, store: Store, files: dict[str, bytes], detector: Any, extractor: Any) -> dict[str, float]:
    """Runs the job once; returns seconds since apply, and the speed between the first and last shard."""
    kubectl("delete", "fx", name, "--ignore-not-found")
    for prefix in (f"tables/{name}/", f"images/{name}/"):
        for item in list(store.client.list_objects("e2e", prefix, recursive=True)):
            store.client.remove_object("e2e", str(item.object_name))
    store.put_images(f"images/{name}", files)
    started = time.time()
    apply(resource(name, store, detector, extractor, execution={"memory": "3Gi"}))
    watched = Watched(name)
    driver = watched.seconds_until(watched.driver_runs, started)
    total = watched.seconds_until(watched.has_succeeded, started)
    marks = shard_times(store, name)
    steady = (len(files) - marks[0][1]) / (marks[-1][0] - marks[0][0]) if len(marks) > 1 else 0.0
    return {
        "driverRunning": driver,
        "firstImage": marks[0][0] - started,
        "succeeded": total,
        "steadyImagesPerSecond": steady,
    }


class Watched:
    """A run polled through the official client; frequent kubectl processes would take a core from the job."""

    def __init__(self, name: str) -> None:
        config.load_kube_config()  # type: ignore[no-untyped-call]
        self._name = name
        self._resources: Any = client.CustomObjectsApi()
        self._core: Any = client.CoreV1Api()

    def seconds_until(self, condition: Callable[[], bool], started: float) -> float:
        """Polls a condition five times a second; returns the seconds since the start."""
        while not condition():
            time.sleep(0.2)
        return time.time() - started

    def driver_runs(self) -> bool:
        """Whether the driver's pod is running or has finished."""
        selector = f"featx.dev/name={self._name},featx.dev/role=driver"
        pods = self._core.list_namespaced_pod(NAMESPACE, label_selector=selector).items
        return any(pod.status.phase != "Pending" for pod in pods)

    def has_succeeded(self) -> bool:
        """Whether the run has succeeded; raises immediately if it failed."""
        current = self._resources.get_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, self._name)
        conditions = (current.get("status") or {}).get("conditions", [])
        (succeeded,) = [entry for entry in conditions if entry["type"] == "Succeeded"] or [{"status": "Unknown"}]
        assert succeeded["status"] != "False", succeeded
        return bool(succeeded["status"] == "True")


def shard_times(store: Store, name: str) -> list[tuple[float, int]]:
    """Commit time (in seconds, as recorded by the store) and images of each shard, in order of time."""
    uid = kubectl("get", "fx", name, "--output=jsonpath={.metadata.uid}")
    marks = []
    for item in store.client.list_objects("e2e", f"tables/{name}/_featx/{uid}/done/"):
        mark = json.loads(store.client.get_object("e2e", str(item.object_name)).read())
        assert item.last_modified is not None
        marks.append((item.last_modified.timestamp(), mark["features"] + mark["failures"]))
    return sorted(marks)


def bare_rates() -> dict[str, float]:
    """Images per second of each net alone, in a JVM with two threads: batches of 8, median of 15 forwards."""

    def read(files: CaffeFiles) -> tuple[str, bytes]:
        return files.prototxt.read_text(), files.caffemodel.read_bytes()

    detector, extractor = load_detector(*read(res10())), load_extractor(*read(resnet50_thin()), "pool")
    with running(threads=2) as engine:
        return {
            "detector": rate(engine, file_of(detector), detector.input_shape),
            "extractor": rate(engine, file_of(extractor), extractor.input_shape),
        }


def rate(engine: Engine, network: bytes, shape: tuple[int, ...]) -> float:
    """Images per second of one net whose input is already in the JVM."""
    generator = np.random.default_rng(0)
    batch = generator.uniform(-120, 130, (BATCH, *shape)).astype(np.float32)
    return BATCH / statistics.median(engine.seconds(network, batch, 15))


def summary(rounds: list[dict[str, float]], bare: list[dict[str, float]], count: int) -> dict[str, Any]:
    """Medians, and the setup they were measured on."""
    job = {key: round(statistics.median(times[key] for times in rounds), 2) for key in rounds[0]}
    nets = {key: round(statistics.median(rates[key] for rates in bare), 1) for key in bare[0]}
    both = 1 / (1 / nets["detector"] + 1 / nets["extractor"])
    status = kubectl("exec", "--namespace=featx-system", "deploy/featx-operator", "--", "cat", "/proc/1/status")
    resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
    images = json.loads(kubectl("get", "nodes", "--output=json"))["items"][0]["status"]["images"]
    sizes = {
        name.rsplit("/", 1)[1]: image["sizeBytes"]
        for image in images
        for name in image["names"] or []
        if name.startswith("localhost/featx/") and ("job:dev" in name or "operator:dev" in name)
    }
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine.described(),
        "versions": {"spark": "3.5.9", "bigdl": "2.4.0", "kubernetes": "1.34.4", "python": platform.python_version()},
        "images": count,
        "rounds": len(rounds),
        "secondsFromApply": job,
        "bareImagesPerSecond": {**nets, "inSeries": round(both, 1)},
        "shareOfBare": round(job["steadyImagesPerSecond"] / both, 3),
        "imageBytes": sizes,
        "operatorResidentMebibytes": round(resident, 1),
    }


def write(result: dict[str, Any]) -> None:
    """Writes the numbers as JSON and as a table."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "main-job.json").write_text(json.dumps(result, indent=2) + "\n")
    job, bare = result["secondsFromApply"], result["bareImagesPerSecond"]
    rows = [
        ("apply to driver running", f"{job['driverRunning']:.1f} s"),
        ("apply to first images done", f"{job['firstImage']:.1f} s"),
        (f"apply to Succeeded, {result['images']} images", f"{job['succeeded']:.1f} s"),
        ("job, between first and last shard", f"{job['steadyImagesPerSecond']:.1f} images/s"),
        ("bare detector / extractor", f"{bare['detector']} / {bare['extractor']} images/s"),
        ("bare, one after the other", f"{bare['inSeries']} images/s"),
        ("job's share of that", f"{result['shareOfBare']:.0%}"),
        ("operator's resident memory", f"{result['operatorResidentMebibytes']} MiB"),
        *[(f"image {name}", f"{size / 1e6:.0f} MB") for name, size in sorted(result["imageBytes"].items())],
    ]
    table = "\n".join(f"| {what} | {number} |" for what, number in rows)
    (FOLDER / "main-job.md").write_text(
        f"# The main job\n\n`make bench`, {result['date']}: {result['machine']}; medians of {result['rounds']} runs. "
        "One executor with two cores, res10 SSD and ResNet-50 of half width; driver, executor, S3 server and control "
        f"plane share the two cores.\n\n| what | measured |\n|---|---|\n{table}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
