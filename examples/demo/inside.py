"""The part of the demo that talks to the cluster: upload, `kubectl apply`, watch, show the table.

It runs in the cluster's network and reads the files to upload from standard input.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import yaml
from featx_api.contract import STORE_LABEL
from featx_api.resource import FeatureExtraction
from featx_cli import resource_file
from minio import Minio

from examples.cluster.reach import reachable
from examples.demo import ACCESS_KEY, SECRET_KEY

ROWS_SHOWN = 8


def main() -> int:
    """Run the job that standard input describes; return the exit code."""
    task = yaml.safe_load(sys.stdin)
    resource = resource_file.read(Path(task["resource"]))
    source = resource.spec.source.s3
    assert source is not None and source.secret_ref is not None
    with reachable("store", "s3", 8333) as address:
        client = Minio(address, ACCESS_KEY, SECRET_KEY, secure=False)
        upload(client, source.bucket, task["objects"])
        _apply(_secret(source.secret_ref.name))
        succeeded = run(resource, task["resource"])
        if succeeded:
            show(client, resource)
    return 0 if succeeded else 1


def upload(client: Minio, bucket: str, objects: dict[str, str]) -> None:
    """Upload files to a bucket of the demo's own, after removing everything that an earlier demo left there."""
    if client.bucket_exists(bucket):
        for stored in list(client.list_objects(bucket, recursive=True)):
            client.remove_object(bucket, str(stored.object_name))
    else:
        client.make_bucket(bucket)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: client.fput_object(bucket, item[0], item[1]), objects.items()))
    print(f"• uploaded {len(objects)} objects to s3://{bucket}", flush=True)


def run(resource: FeatureExtraction, file: str) -> bool:
    """Recreate the resource and show its progress until it ends; return whether it succeeded."""
    _kubectl("delete", "--ignore-not-found", "fx", resource.name)
    print(f"• kubectl apply -f {file}", flush=True)
    started = time.monotonic()
    _kubectl("apply", "-f", file)
    last = ""
    while True:
        status = json.loads(_kubectl("get", "fx", resource.name, "-o", "json")).get("status", {})
        line = _line(status)
        if line != last:
            _show_line(f"{time.monotonic() - started:5.0f} s  {line}")
            last = line
        succeeded = _condition(status, "Succeeded")
        if succeeded.get("status") in ("True", "False"):
            print()
            if succeeded["status"] == "False":
                print(f"{succeeded['reason']}: {succeeded.get('message', '')}")
            return bool(succeeded["status"] == "True")
        time.sleep(0.5)  # polled, to show the elapsed time


def show(client: Minio, resource: FeatureExtraction) -> None:
    """Print the first rows of the table, and its address."""
    status = json.loads(_kubectl("get", "fx", resource.name, "-o", "json"))["status"]
    bucket, _, prefix = resource.spec.output.uri.removeprefix("s3://").partition("/")
    names = sorted(
        str(stored.object_name)
        for stored in client.list_objects(bucket, f"{prefix}/")
        if str(stored.object_name).endswith(".parquet")
    )
    rows: list[dict[str, Any]] = []
    for name in names:
        rows += parquet.read_table(io.BytesIO(client.get_object(bucket, name).read())).to_pylist()
        if len(rows) >= ROWS_SHOWN:
            break
    print(f"\n{'key':40} {'box':>26} {'score':>6}  feature")
    for row in rows[:ROWS_SHOWN]:
        box = ",".join(f"{row[side]:.0f}" for side in ("x0", "y0", "x1", "y1"))
        score = "" if row["score"] is None else f"{row['score']:.3f}"
        feature = " ".join(f"{value:.3f}" for value in row["feature"][:4])
        print(f"{row['key'][-40:]:40} {box:>26} {score:>6}  [{feature} … {len(row['feature'])} values]")
    print()
    for table in status.get("outputs", []):
        print(f"{table['kind']:10} {table['recordCount']:6} rows {table['bytes']:10} bytes  {table['uri']}")
    _kubectl("get", "fx", resource.name, show=True)


def _line(status: dict[str, Any]) -> str:
    progress = status.get("progress") or {}
    if progress.get("imagesTotal"):
        done, total = progress["imagesDone"], progress["imagesTotal"]
        bar = "█" * (30 * done // total)
        return f"[{bar:30}] {done}/{total}  {_activity(status, progress)}"
    waiting = _condition(status, "Succeeded")
    return f"{waiting.get('reason', 'Pending')} {waiting.get('message', '')}".strip()


def _activity(status: dict[str, Any], progress: dict[str, Any]) -> str:
    """Return what a run does, or what it waits for."""
    if progress.get("waiting"):
        return str(progress["waiting"])
    if progress["imagesDone"]:
        return f"{progress.get('imagesPerSecond', 0):.1f} images/s"
    executors = _condition(status, "ExecutorsReady")
    if executors.get("status") == "True":
        return "loading the models"
    reason = executors.get("message") or executors.get("reason", "")
    return f"waiting for executors: {reason}".removesuffix(": Waiting").removesuffix(": ")


def _show_line(line: str) -> None:
    print(
        f"\r\033[K  {line}" if sys.stdout.isatty() else f"  {line}", end="" if sys.stdout.isatty() else "\n", flush=True
    )


def _condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((condition for condition in status.get("conditions", []) if condition["type"] == kind), {})


def _secret(name: str) -> dict[str, Any]:
    values = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    metadata = {"name": name, "labels": {STORE_LABEL: "true"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def _apply(document: dict[str, Any]) -> None:
    _kubectl("apply", "-f", "-", stdin=json.dumps(document))


def _kubectl(*arguments: str, stdin: str | None = None, show: bool = False) -> str:
    command = ["kubectl", "--namespace", "default", *arguments]
    outcome = subprocess.run(command, input=stdin, capture_output=not show, text=True, check=False)
    if outcome.returncode:
        sys.exit(f"error: {' '.join(command)}: {outcome.stderr.strip()}")
    return outcome.stdout or ""


if __name__ == "__main__":
    sys.exit(main())
