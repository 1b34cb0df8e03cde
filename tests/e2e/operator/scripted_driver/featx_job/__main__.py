"""Follows spec.extractor.layer, a script, step by step, one script per attempt.

Scripts of attempts are separated by `|`; the last one applies to all further attempts. Steps, separated by commas:
  progress DONE/TOTAL   write the progress annotation
  count TOTAL           write it for each image, one every 0.2 s
  waiting REASON        report in the progress annotation that the run waits for that reason
  executors COUNT       create that many executor pods from the template, as Spark does, owned by this pod
  stuck COUNT           the same, on nodes that do not exist
  follow                create and delete executors as the annotation of this pod says, from now on
  stubborn              ignore SIGTERM from now on
  gang                  create the executors that the spec asks for, each again until it is admitted; wait until all run
  sleep SECONDS         wait
  await                 wait until the test annotates this pod with featx.test/proceed
  forever               run until terminated
  memory MEBIBYTES      allocate that much
  succeed COUNT         report Succeeded with that many records
  fail CLASS            report Failed, permanent
  fail-retryable CLASS  report Failed, retryable
  exit CODE             exit without a report
  report BASE64         leave these bytes as the report, and exit with 0
Standard library only, to keep the image small.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
NAMESPACE, POD = os.environ["POD_NAMESPACE"], os.environ["POD_NAME"]
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


def request(method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
    url = f"https://kubernetes.default.svc{path}"
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Content-Type": kind}
    data = json.dumps(body).encode() if body is not None else None
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    request_ = urllib.request.Request(url, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request_, context=context, timeout=10) as response:
        return json.load(response)


def outcome(**parts: Any) -> None:
    Path("/dev/termination-log").write_text(json.dumps(parts))


def fail(class_: str, retryable: bool) -> None:
    failure = {"class": class_, "message": f"by the script: {class_}"}
    outcome(result="Failed", failure=failure, retryable=retryable)
    sys.exit(1 if retryable else 2)


def progress(done: str, **more: Any) -> None:
    finished, total = map(int, done.split("/"))
    report({"imagesDone": finished, "imagesTotal": total, "imagesPerSecond": 1.5, **more})


def report(progress_: dict[str, Any]) -> Any:
    annotations = {"featx.dev/progress": json.dumps(progress_)}
    patch = {"metadata": {"annotations": annotations}}
    return request("PATCH", f"{PODS}/{POD}", patch, "application/merge-patch+json")


def executors(count: int, job: dict[str, Any], **placement: Any) -> None:
    """Creates pods as Spark's Kubernetes backend does: from the template, with the driver pod as owner."""
    for number in range(1, count + 1):
        create_executor(number, job, {"requests": {"cpu": "1m", "memory": "16Mi"}}, **placement)


def follow(job: dict[str, Any]) -> None:
    """Has as many executors as the response to a report of progress says, as the real driver does; for ever."""
    names: list[str] = []
    while True:
        pod = report({"imagesDone": 1, "imagesTotal": 100, "shardsDone": 1, "shardsTotal": 9})
        wanted = int(pod["metadata"]["annotations"]["featx.dev/executors"])
        with contextlib.suppress(urllib.error.HTTPError):  # a quota has no room
            while len(names) < wanted:
                names.append(create_executor(len(names) + 1, job, {"requests": {"cpu": "1m", "memory": "16Mi"}}))
        while len(names) > wanted:
            request("DELETE", f"{PODS}/{names.pop()}")
        time.sleep(1)


def gang(job: dict[str, Any]) -> None:
    """Creates the executors of the spec, and waits for them as Spark does: for as long as it takes."""
    report({"shardsTotal": 1})
    execution = job["spec"]["execution"]
    cpu = execution["sparkConf"].get("spark.kubernetes.executor.request.cores", str(execution["cores"]))
    requests = {"cpu": cpu, "memory": execution["memory"]}
    limits = {**({"cpu": cpu} if execution["cpuLimits"] else {}), "memory": execution["memory"]}
    missing = list(range(1, execution["executors"] + 1))
    while missing:
        try:
            create_executor(missing[0], job, {"requests": requests, "limits": limits})
        except OSError as error:  # refused, or a slow API server
            if getattr(error, "code", 0) != 409:  # it exists: only the response was late
                print(error.read().decode() if isinstance(error, urllib.error.HTTPError) else error, flush=True)
                time.sleep(0.5)
                continue
        missing.pop(0)
    selector = f"labelSelector=featx.dev/uid%3D{job['uid']},featx.dev/role%3Dexecutor"
    while True:
        with contextlib.suppress(OSError):
            if all(pod["status"].get("phase") == "Running" for pod in request("GET", f"{PODS}?{selector}")["items"]):
                return
        time.sleep(0.3)


def await_test() -> None:
    """Waits for the test, so that no test depends on how fast the operator is."""
    while True:
        with contextlib.suppress(OSError):
            if "featx.test/proceed" in request("GET", f"{PODS}/{POD}")["metadata"].get("annotations", {}):
                return
        time.sleep(0.2)


def create_executor(number: int, job: dict[str, Any], resources: dict[str, Any], **placement: Any) -> str:
    """Creates an executor; returns its name."""
    me = request("GET", f"{PODS}/{POD}")
    # The template is YAML, and this image has no parser: read the labels by pattern and rebuild the rest.
    template = Path(os.environ["FEATX_EXECUTOR_POD"]).read_text()
    labels = dict(re.findall(r"^    (\S+): '?([^'\n]+)'?$", template.split("spec:")[0], re.MULTILINE))
    container = {
        **me["spec"]["containers"][0],
        "name": "executor",
        "command": ["python3", "-c", "import time; time.sleep(3600)"],
        "resources": resources,
        "volumeMounts": [],
    }
    for key in ("env", "ports"):
        container.pop(key, None)
    owner = {"apiVersion": "v1", "kind": "Pod", "name": POD, "uid": me["metadata"]["uid"], "controller": True}
    metadata = {
        "name": f"{job['name']}-{job['attempt']}-exec-{number}",
        "labels": labels,
        "ownerReferences": [owner],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": me["spec"]["securityContext"],
        "containers": [container],
        **placement,
    }
    request("POST", PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    return str(metadata["name"])


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    job = json.loads(Path(os.environ["FEATX_JOB"]).read_text())
    scripts = job["spec"]["extractor"]["layer"].split("|")
    for step in scripts[min(job["attempt"], len(scripts)) - 1].split(","):
        verb, _, argument = step.strip().partition(" ")
        print(step, flush=True)
        if verb == "progress":
            progress(argument)
        elif verb == "count":
            for number in range(int(argument)):
                progress(f"{number}/{argument}")
                time.sleep(0.2)
        elif verb == "waiting":
            progress("1/2", waiting="the store does not respond", waitingReason=argument)
        elif verb == "executors":
            executors(int(argument), job)
        elif verb == "stuck":
            executors(int(argument), job, nodeSelector={"no-such": "node"})
        elif verb == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif verb == "follow":
            follow(job)
        elif verb == "gang":
            gang(job)
        elif verb == "sleep":
            time.sleep(float(argument))
        elif verb == "await":
            await_test()
        elif verb == "forever":
            time.sleep(86400)
        elif verb == "memory":
            _ = bytearray(int(argument) << 20)
        elif verb == "succeed":
            count = int(argument)
            table = {
                "uri": job["spec"]["output"]["uri"],
                "kind": "features",
                "format": "delta",
                "recordCount": count,
                "bytes": count * 100,
            }
            done = {"imagesTotal": count, "imagesDone": count}
            outcome(result="Succeeded", progress=done, outputs=[table])
            sys.exit(0)
        elif verb in ("fail", "fail-retryable"):
            fail(argument, verb == "fail-retryable")
        elif verb == "exit":
            sys.exit(int(argument))
        elif verb == "report":
            Path("/dev/termination-log").write_bytes(base64.b64decode(argument))
            sys.exit(0)


main()
