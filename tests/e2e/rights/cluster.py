"""Namespaces with the chart's rights, and requests with the token of a driver."""

from __future__ import annotations

import base64
import copy
import functools
import json
import ssl
import subprocess
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from featx_api import contract
from featx_api.resource import FeatureExtraction
from featx_operator import manifests
from featx_operator.node_pools import NodePool

from tests.support.bad_resources import good

ROOT = Path(__file__).resolve().parents[3]
CRD = ROOT / "crds/featureextractions.featx.dev.yaml"
GUARDED = "featx-rights-guarded"
CLOUD = "featx-rights-cloud"  # its runs may use a cloud's identity and another account
RELEASE = "featx-rights"  # of the chart
OPEN = "featx-rights-open"  # the same rights without the chart's policies
EMPTY = "featx-rights-empty"  # served, but without a resource
NAMESPACES = (GUARDED, CLOUD, OPEN)
JOB_IMAGE = "localhost/featx/job:dev"
RUN = "catalog"
CLOUD_ACCOUNT = "cloud"
_TAINTS = [{"key": "dedicated", "value": "featx", "effect": "NoSchedule"}, {"key": "spot", "operator": "Exists"}]
POOLS = {
    "spread": {"cpuFeatures": ["AVX512VNNI", "AMXTILE"], "tolerations": _TAINTS, "arrangement": "spread"},
    "packed": {"nodeSelector": {"disk": "fast"}, "arrangement": "pack", "topologyKey": "topology.kubernetes.io/zone"},
    "exclusive": {"exclusiveCores": True, "coresPerSocket": 8, "drivers": {"nodeSelector": {"disk": "slow"}}},
}
VALUES: dict[str, Any] = {
    "namespaces": [GUARDED, CLOUD, EMPTY],
    "jobImage": JOB_IMAGE,
    "nodePools": POOLS,
    "allowed": {"nodePools": ["xeon", *POOLS], "images": ["registry.test/featx/*", "registry.test/one:1"]},
    "tenants": {
        CLOUD: {"allowed": {"serviceAccounts": ["featx-job", CLOUD_ACCOUNT], "nodePools": [], "podIdentity": True}}
    },
}
PROGRESS = {"metadata": {"annotations": {contract.PROGRESS_ANNOTATION: '{"imagesDone": 1}'}}}

JSON, MERGE = "application/json", "application/strategic-merge-patch+json"

Outcome = subprocess.CompletedProcess[str]


def kubectl(*arguments: str, stdin: object = None, check: bool = True) -> Outcome:
    """Runs kubectl; an object as stdin is sent as JSON, a string unchanged."""
    text = stdin if isinstance(stdin, str) or stdin is None else json.dumps(stdin)
    outcome = subprocess.run(["kubectl", *arguments], input=text, text=True, capture_output=True, check=False)
    assert outcome.returncode == 0 or not check, f"kubectl {' '.join(arguments)}: {outcome.stderr}"
    return outcome


def chart(values: dict[str, Any], *templates: str) -> str:
    """Templates of the chart, rendered."""
    command = ["helm", "template", "featx", str(ROOT / "charts/featx"), f"--namespace={RELEASE}", "--values=-"]
    command += ["--kube-version=1.34.0", *(f"--show-only=templates/{name}.yaml" for name in templates)]
    outcome = subprocess.run(command, input=json.dumps(values), text=True, capture_output=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def create(*items: dict[str, Any] | str) -> None:
    """Applies manifests as the administrator."""
    for item in items:
        kubectl("apply", "--filename=-", stdin=item)


def account(namespace: str, name: str) -> dict[str, Any]:
    """A service account without a token of its own."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace},
        "automountServiceAccountToken": False,
    }


def resource(namespace: str, name: str = RUN) -> dict[str, Any]:
    """A FeatureExtraction that names the Secret `store` and the claim `images`."""
    body = copy.deepcopy(good())
    body["metadata"] = {"name": name, "namespace": namespace}
    body["spec"]["output"] = {"uri": "claim://images/table"}
    return body


def driver(namespace: str, name: str, account_name: str = "featx-job") -> dict[str, Any]:
    """A pod that is never scheduled: only its token is needed."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {contract.LABEL_ROLE: contract.DRIVER}},
        "spec": {
            "serviceAccountName": account_name,
            "nodeSelector": {"featx.dev/rights": "nowhere"},
            "containers": [{"name": "driver", "image": JOB_IMAGE}],
        },
    }


@functools.cache
def uid(kind: str, namespace: str, name: str) -> str:
    """The uid of an object."""
    return kubectl("get", kind, name, f"--namespace={namespace}", "--output=jsonpath={.metadata.uid}").stdout


def executor(
    namespace: str,
    number: int = 1,
    run: str = RUN,
    account_name: str = "featx-job",
    spec: dict[str, Any] | None = None,
    pool: NodePool | None = None,
    run_uid: str = "",
) -> dict[str, Any]:
    """An executor of a run's first attempt: the operator's template, completed as Spark 3.5 does.

    The run's uid is that of the resource, unless `run_uid` is given.
    """
    body = resource(namespace, run)
    body["spec"] = spec or body["spec"]
    body["metadata"]["uid"] = run_uid or uid("fx", namespace, run)
    pod = copy.deepcopy(manifests.executor_template(FeatureExtraction.model_validate(body), 1, pool))
    owner = f"{run}-1-driver"
    pod["metadata"] |= {
        "name": f"{contract.executor_prefix(run, body['metadata']['uid'], 1)}-exec-{number}",
        "namespace": namespace,
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Pod", "controller": True, "name": owner, "uid": uid("pod", namespace, owner)}
        ],
    }
    pod["metadata"]["labels"] |= {
        "spark-app-name": "featx-a-b",
        "spark-app-selector": "spark-0123456789",
        "spark-exec-id": str(number),
        "spark-exec-resourceprofile-id": "0",
        "spark-role": "executor",
        "spark-version": "3.5.9",
    }
    pod["spec"] |= {"serviceAccountName": account_name} if account_name != "featx-job" else {}
    pod["spec"] |= {"hostname": pod["metadata"]["name"], "restartPolicy": "Never"}
    pod["spec"]["volumes"].append({"name": "spark-local-dir-1", "emptyDir": {}})
    (container,) = pod["spec"]["containers"]
    container |= {
        "image": JOB_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["executor"],
        "ports": [{"name": "blockmanager", "containerPort": 7079, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": "1", "memory": "2Gi"},
            "limits": {"memory": "2Gi", **container.get("resources", {}).get("limits", {})},
        },
        "env": [
            {"name": "SPARK_EXECUTOR_ID", "value": str(number)},
            {"name": "SPARK_JAVA_OPT_0", "value": "-Dbigdl.engineType=mkldnn"},
            {
                "name": "SPARK_EXECUTOR_POD_IP",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}},
            },
            {"name": "SPARK_EXECUTOR_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
    }
    container["volumeMounts"].append({"name": "spark-local-dir-1", "mountPath": "/var/data/spark-1"})
    return pod


def without_volume(pod: dict[str, Any], name: str) -> None:
    """Removes a volume and its mounts."""
    (container,) = pod["spec"]["containers"]
    for items in (pod["spec"]["volumes"], container["volumeMounts"]):
        items[:] = [item for item in items if item["name"] != name]


def too_much(namespace: str, of: str, name: str) -> dict[str, Any]:
    """All rights in a namespace, as somebody may grant by mistake to an account of another."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"too-much-{of}", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": of}],
    }


class Answer(NamedTuple):
    """What the API server answers."""

    code: int
    text: str

    @property
    def accepted(self) -> bool:
        """Whether it did what it was asked."""
        return self.code < HTTPStatus.BAD_REQUEST


class Requester:
    """Somebody with a token. Sends bare requests: no client that means well stands between."""

    def __init__(self, namespace: str, token: str) -> None:
        cluster = yaml.safe_load(kubectl("config", "view", "--raw", "--minify").stdout)["clusters"][0]["cluster"]
        self._server = cluster["server"]
        self._namespace = namespace
        self._token = token
        self._tls = ssl.create_default_context()
        if authority := cluster.get("certificate-authority-data"):
            self._tls.load_verify_locations(cadata=base64.b64decode(authority).decode())
        else:
            self._tls.load_verify_locations(cluster["certificate-authority"])

    def send(self, method: str, path: str, body: object = None, namespace: str = "", kind: str = JSON) -> Answer:
        """Sends a request below the token's namespace, or another one. A path of another API group begins with it."""
        group, _, below = path.rpartition(":")
        url = f"{self._server}/{group or 'api/v1'}/namespaces/{namespace or self._namespace}/{below}"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self._tls, timeout=30) as response:
                return Answer(response.status, response.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())

    def create(self, pod: dict[str, Any], dry_run: bool = True, namespace: str = "") -> Answer:
        """Creates a pod, or only asks whether it could be."""
        return self.send("POST", "pods?dryRun=All" if dry_run else "pods", pod, namespace)

    def patch(self, pod: str, change: dict[str, Any], dry_run: bool = True) -> Answer:
        """Changes a pod by a strategic merge patch, as Spark and kubectl do, or only asks whether it could be."""
        return self.send("PATCH", f"pods/{pod}{'?dryRun=All' if dry_run else ''}", change, kind=MERGE)

    def delete(self, path: str) -> Answer:
        """Deletes a pod, or all of a query."""
        return self.send("DELETE", path)


def bound_token(namespace: str, pod: str, account_name: str = "featx-job") -> str:
    """A token of an account as the kubelet mounts it in a pod."""
    bound = [
        "--bound-object-kind=Pod",
        f"--bound-object-name={pod}",
        f"--bound-object-uid={uid('pod', namespace, pod)}",
    ]
    return kubectl("create", "token", account_name, f"--namespace={namespace}", *bound).stdout.strip()
