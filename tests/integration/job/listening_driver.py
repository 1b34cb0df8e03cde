"""A driver with a cluster's settings, except that its executor is in its own JVM; prints where it listens as JSON.

`python -m tests.integration.job.listening_driver FOLDER JARS POD_IP`
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from featx_api.contract import JobSpec
from featx_api.resource import FeatureExtraction
from featx_job.clients import java
from featx_job.environment import Cluster, Environment
from featx_job.spark import settings
from featx_job.spark.memory import Sizes
from pyspark import SparkContext

from tests.support.bad_resources import changed
from tests.support.process_tree import descendants

LISTEN = "0A"  # in /proc/net/tcp


def driver_settings(folder: Path, jars: str, pod_ip: str) -> settings.Conf:
    """Return the settings of a driver in a cluster that runs Spark alone."""
    spec = FeatureExtraction.model_validate(changed("spec.suspend", False)).spec
    job = JobSpec(name="good", namespace="team", uid="u-1", attempt=1, spec=spec)
    (folder / "secrets" / "store").mkdir(parents=True)
    cluster = Cluster("good-1-driver", "team", pod_ip, "featx/job:1", "/none")
    environment = Environment(jars=Path(jars), work=folder, secrets=folder / "secrets", cluster=cluster)
    return settings.without_executors(settings.conf(job, environment, Sizes(batch=1, streams=1, heap=500, pod=1000)))


def keys(gateway: Any, folder: Path) -> list[str]:
    """Return the keys with which driver and executors authenticate, each with the settings that it has at its start."""
    file = folder / "secret"
    file.write_text("ab" * 32)
    spark = gateway.jvm.org.apache.spark
    entries = (
        gateway.jvm.java.lang.Class.forName("org.apache.spark.internal.config.package$").getField("MODULE$").get(None)
    )
    shared = settings.CLOSED | {settings.KEY_FILE: str(file)}
    executor = {key: value for key, value in shared.items() if spark.SparkConf.isExecutorStartupConf(key)}
    found = []
    for own, master, entry in (
        (shared, "k8s://https://kubernetes.default.svc:443", entries.AUTH_SECRET_FILE_DRIVER()),
        (executor, "k8s://executor", entries.AUTH_SECRET_FILE()),
        (executor, "k8s://executor", entries.AUTH_SECRET_FILE_EXECUTOR()),
    ):
        conf = spark.SparkConf(False).set("spark.master", master)
        for key, value in own.items():
            conf.set(key, value)
        found.append(str(spark.SecurityManager(conf, gateway.jvm.scala.Option.apply(None), entry).getSecretKey()))
    return found


def listening() -> list[tuple[str, int]]:
    """Return address and port of each socket on which the JVM and its children listen."""
    own = {inode for process in descendants(os.getpid()) for inode in _sockets(process)}
    families: tuple[tuple[str, Callable[[str], str]], ...] = (("tcp", _four), ("tcp6", _six))
    return [
        (decode(fields[1].split(":")[0]), int(fields[1].split(":")[1], 16))
        for family, decode in families
        for fields in map(str.split, Path(f"/proc/net/{family}").read_text().splitlines()[1:])
        if fields[3] == LISTEN and fields[9] in own
    ]


def _sockets(process: int) -> Iterator[str]:
    for entry in Path(f"/proc/{process}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def _four(text: str) -> str:
    return socket.inet_ntop(socket.AF_INET, bytes.fromhex(text)[::-1])


def _six(text: str) -> str:
    data = bytes.fromhex(text)
    words = b"".join(data[start : start + 4][::-1] for start in range(0, 16, 4))
    return socket.inet_ntop(socket.AF_INET6, words)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Report a redirection as a status."""


def status(port: int, path: str, method: str = "GET") -> int:
    """Return the status with which Spark's UI responds."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        return int(urllib.request.build_opener(_NoRedirect).open(request, timeout=10).status)
    except urllib.error.HTTPError as error:
        return error.code


def survives_killing(spark: SparkContext, port: int) -> bool:
    """Return whether a job ends well although its kill links are used while it runs."""
    results: list[int] = []
    running = threading.Thread(target=lambda: results.append(spark.parallelize([0], 1).map(_slowly).count()))
    running.start()
    while running.is_alive():
        for job in spark.statusTracker().getActiveJobsIds():
            for method in ("GET", "POST"):
                status(port, f"/jobs/job/kill/?id={job}", method)
                status(port, f"/stages/stage/kill/?id={job}", method)
        time.sleep(0.2)
    return results == [1]


def _slowly(number: int) -> int:
    time.sleep(3)
    return number


def main(folder: str, jars: str, pod_ip: str) -> None:
    """Print a report."""
    os.environ.pop("SPARK_LOCAL_IP", None)  # which only the driver's own code sets in a pod
    conf = driver_settings(Path(folder), jars, pod_ip)
    java.start(conf)
    gateway: Any = SparkContext._gateway
    read = keys(gateway, Path(folder))  # before Spark keeps a key of its own
    spark = java.start_spark(conf)
    ui = int(str(spark.uiWebUrl).rpartition(":")[2])
    report = {
        "keys": read,
        "sockets": listening(),
        "ui": ui,
        "page": status(ui, "/jobs/"),
        "survives": survives_killing(spark, ui),
    }
    sys.stdout.write(f"REPORT {json.dumps(report)}\n")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
