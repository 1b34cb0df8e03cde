"""What a tenant who may only create resources tries with the stock image: files, Secrets, identities, ports."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.names import NAMESPACE, SECRET_KEY, STORE_SECRET
from tests.e2e.polling import eventually
from tests.e2e.run.harness import Run, Store, apply, kubectl, resource

TOKEN = "file:///var/run/secrets/kubernetes.io/serviceaccount/token"
SECRET_FILE = f"file:///etc/featx/secrets/{STORE_SECRET}/AWS_SECRET_ACCESS_KEY"
FILES = [
    TOKEN,
    SECRET_FILE,
    "file:///proc/self/environ",
    "file:///etc/featx/job/job.json",
    "file:///etc/passwd",
    "file:///mnt/featx/claims/of-others/passwords",
]
SPARK_PORTS = {"UI": 4040, "scheduler": 7078, "blocks": 7079}
COPIES = 3  # of each image: half a minute of work


def texts(run: Run) -> str:
    """Everything that the tenant can read about a run: the resource, its Events, and the driver's log."""
    return "".join(
        [
            kubectl("get", "fx", run.name, "--output=json"),
            kubectl("get", "events", f"--field-selector=involvedObject.name={run.name}", "--output=json"),
            kubectl("logs", f"{run.name}-1-driver", check=False),
        ]
    )


# A JSON web token begins with the first; the others are the store's key and a line of /etc/passwd.
SECRETS = ("eyJhbGciOi", SECRET_KEY, "root:x:0:0")


def refused(run: Run) -> str:
    """The reason for which a run is stalled or failed, or an empty string."""
    stalled = run.condition("Stalled")
    return str(stalled["reason"]) if stalled.get("status") == "True" else ""


@pytest.mark.parametrize("address", FILES)
@pytest.mark.parametrize("field", ["prototxt", "weights"])
def test_a_model_address_reads_no_file_of_the_driver(
    store: Store, tiny: dict[str, Any], address: str, field: str
) -> None:
    name = f"reads-{FILES.index(address)}-{field}"
    other = {"prototxt": "weights", "weights": "prototxt"}[field]
    model = {**tiny["model"], field: address, other: "file:///dev/null", "sha256": "0" * 64}
    if field == "prototxt":  # an empty file's digest, which is no secret
        model["sha256"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    run = apply(resource(name, store, None, {**tiny, "model": model}))
    reason = eventually(lambda: refused(run), f"{name} to be refused", 120)
    assert reason in ("NotAllowed", "PathNotAllowed"), run.status
    said = texts(run)
    for secret in SECRETS:
        assert secret not in said
    assert "claim://" in json.dumps(run.status), "the message names the way out"
    kubectl("delete", "fx", name)


def test_an_address_that_climbs_is_rejected_at_once(store: Store, tiny: dict[str, Any]) -> None:
    climbing = "file:///mnt/featx/claims/../../../etc/passwd"
    body = resource("climbs", store, None, {**tiny, "model": {**tiny["model"], "prototxt": climbing}})
    with pytest.raises(AssertionError, match=r"must not contain `\.\.`"):
        apply(body)


def test_a_secret_without_the_label_is_not_mounted(store: Store, tiny: dict[str, Any]) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "of-others"}, "stringData": {"a": "b"}}
    kubectl("apply", "--filename=-", stdin=secret)
    body = resource("takes-secret", store, None, tiny)
    body["spec"]["source"]["s3"] |= {"secretRef": {"name": "of-others"}}
    run = apply(body)
    assert eventually(lambda: refused(run), "a refusal") == "SecretNotAllowed"
    message = run.condition("Stalled")["message"]
    assert "spec.source.s3.secretRef" in message and "featx.dev/store=true" in message
    assert run.pods("driver") == []
    kubectl("label", "secret", "of-others", "featx.dev/store=true")
    eventually(lambda: run.pods("driver"), "a driver once the owner agrees", 120)
    kubectl("delete", "fx/takes-secret", "secret/of-others")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"execution": {"serviceAccountName": "default"}}, "featx-job"),
        ({"execution": {"image": "localhost/attacker/image:1"}}, "spec.execution.image"),
        ({"execution": {"nodePool": "control-plane"}}, "xeon"),
        ({"priorityClassName": "system-node-critical"}, "spec.priorityClassName"),
        ({"source": {"s3": {"bucket": "images", "podIdentity": True}}}, "podIdentity"),
    ],
)
def test_an_identity_that_the_platform_team_does_not_allow_is_refused(
    store: Store, tiny: dict[str, Any], change: dict[str, Any], named: str
) -> None:
    run = apply(resource("chooses-identity", store, None, tiny, **change))
    assert eventually(lambda: refused(run), "a refusal") == "NotAllowed"
    assert named in run.condition("Stalled")["message"]
    assert run.pods("driver") == []
    kubectl("delete", "fx", "chooses-identity")


@pytest.fixture(scope="module")
def running(store: Store, noise: dict[str, bytes], resnet: dict[str, Any]) -> Iterator[Run]:
    """A run with an executor at work, for as long as the tests that share it need; the last one waits for its end."""
    name = "attacked-at-work"
    copies = {f"{copy}-{file}": image for copy in range(COPIES) for file, image in noise.items()}
    store.put_images(f"images/{name}", copies)
    run = apply(resource(name, store, None, resnet, execution={"shardImages": 5}))
    eventually(lambda: store.shards_done(f"tables/{name}"), "a run at work", 120)
    yield run
    kubectl("delete", "fx", name)


def test_the_ui_is_reached_by_forwarding_a_port(running: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["kubectl", "--namespace", NAMESPACE, "port-forward", f"pod/{running.name}-1-driver", f"{port}:4040"]
    forward = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        page = eventually(lambda: fetched(f"http://127.0.0.1:{port}/jobs/"), "the UI")
    finally:
        forward.kill()
        forward.wait()
    assert "Spark" in page
    assert "kill" not in page.lower().replace("killed", "")


def fetched(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return str(response.read().decode())
    except OSError:
        return ""


def test_a_drivers_token_is_short_lived_and_executors_have_none(running: Run) -> None:
    token = kubectl(
        "exec", f"{running.name}-1-driver", "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token"
    )
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["exp"] - time.time() <= 3700
    assert claims["kubernetes.io"]["pod"]["name"] == f"{running.name}-1-driver"
    assert claims["aud"]
    assert api(token, "pods") == 200
    for kind in ("secrets", "configmaps", "persistentvolumeclaims"):
        assert api(token, kind) == 403
    (executor, *_) = running.pods("executor")
    shown = kubectl("exec", executor["metadata"]["name"], "--", "ls", "/var/run/secrets", check=False)
    assert "kubernetes.io" not in shown
    for pod in (executor, *running.pods("driver")):
        assert "_SPARK_AUTH_SECRET" not in json.dumps(pod)


def api(token: str, kind: str) -> int:
    """The status with which the API server answers a list."""
    server = kubectl("config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}").strip()
    request = urllib.request.Request(
        f"{server}/api/v1/namespaces/{NAMESPACE}/{kind}?limit=1", headers={"Authorization": f"Bearer {token}"}
    )
    context = ssl._create_unverified_context()  # the local cluster's own CA
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_sparks_ports_give_nothing_to_other_pods(running: Run) -> None:
    (driver,) = running.pods("driver")
    address = driver["status"]["podIP"]
    with pytest.raises(OSError):  # the UI, and with it its kill links, is on loopback only
        socket.create_connection((address, SPARK_PORTS["UI"]), 3).close()
    for port in (SPARK_PORTS["scheduler"], SPARK_PORTS["blocks"]):
        with socket.create_connection((address, port), 3) as connection:
            connection.sendall(b"\0" * 64)  # no authentication
            connection.settimeout(5)
            assert not connection.recv(1)
    running.wait()
    assert running.status["attempt"] == 1
