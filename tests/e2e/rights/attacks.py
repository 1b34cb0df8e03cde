"""What somebody who has a driver's token may try: executors that differ in one thing from those that Featx makes.

Each is accepted where the chart's policies do not apply, so that it is they that refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

Pod = dict[str, Any]
Change = Callable[[Pod], object]


class Attack(NamedTuple):
    """One change to a good executor, and what the refusal must name."""

    id: str
    change: Change
    names: str


def metadata(**fields: Any) -> Change:
    """Sets fields of the metadata."""
    return lambda pod: pod["metadata"].update(fields)


def renamed(pattern: str, by: str) -> Change:
    """Replaces the first match of a pattern in the name."""
    return lambda pod: pod["metadata"].update(name=re.sub(pattern, by, pod["metadata"]["name"], count=1))


def label(key: str, value: str) -> Change:
    """Sets a label."""
    return lambda pod: pod["metadata"]["labels"].update({key: value})


def another_uid(pod: Pod) -> None:
    """Sets the run's uid, and the names that follow from it."""
    label("featx.dev/uid", "00000000-0000-0000-0000-000000000001")(pod)
    renamed("-[0-9a-f]{8}-", "-00000000-")(pod)
    (key,) = (volume["secret"] for volume in pod["spec"]["volumes"] if volume["name"] == "authentication")
    key["secretName"] = re.sub("-[0-9a-f]{8}-", "-00000000-", key["secretName"], count=1)


def owner(**fields: Any) -> Change:
    """Sets fields of the owner reference."""
    return lambda pod: pod["metadata"]["ownerReferences"][0].update(fields)


def spec(**fields: Any) -> Change:
    """Sets fields of the spec."""
    return lambda pod: pod["spec"].update(fields)


def security(**fields: Any) -> Change:
    """Sets fields of the pod's security context."""
    return lambda pod: pod["spec"]["securityContext"].update(fields)


def container(**fields: Any) -> Change:
    """Sets fields of the container."""
    return lambda pod: pod["spec"]["containers"][0].update(fields)


def container_security(**fields: Any) -> Change:
    """Sets fields of the container's security context."""
    return lambda pod: pod["spec"]["containers"][0]["securityContext"].update(fields)


def environment(**fields: Any) -> Change:
    """Adds a variable."""
    return lambda pod: pod["spec"]["containers"][0]["env"].append({"name": "STOLEN", **fields})


def volume(name: str, **source: Any) -> Change:
    """Adds a volume."""
    return lambda pod: pod["spec"]["volumes"].append({"name": name, **source})


def only_volume(name: str, **source: Any) -> Change:
    """Replaces all volumes by one that is not mounted."""

    def change(pod: Pod) -> None:
        pod["spec"]["volumes"] = [{"name": name, **source}]
        pod["spec"]["containers"][0]["volumeMounts"] = []

    return change


def without(part: str, field: str) -> Change:
    """Removes a field of the metadata or the spec."""
    return lambda pod: pod[part].pop(field)


def selectors(spec: Pod) -> list[dict[str, str]]:
    """The labels by which a pod's spec selects other pods."""
    constraints = spec.get("topologySpreadConstraints", [])
    preferred = (
        spec.get("affinity", {}).get("podAffinity", {}).get("preferredDuringSchedulingIgnoredDuringExecution", [])
    )
    parts = [*constraints, *(item["podAffinityTerm"] for item in preferred)]
    return [part["labelSelector"]["matchLabels"] for part in parts]


OTHERS_KEY = {"secretName": "other-00000000-1-authentication"}
OTHER = {"name": "other", "image": "evil.test/image"}
TOKEN = {"sources": [{"serviceAccountToken": {"path": "token"}}]}
CLOUD_TOKEN = {"sources": [{"serviceAccountToken": {"path": "token", "audience": "sts.amazonaws.com"}}]}
API_SERVER_TOKEN = {
    "sources": [{"serviceAccountToken": {"path": "token", "audience": "https://kubernetes.default.svc.cluster.local"}}]
}
CLOUD_TOKEN_AND_MORE = {"sources": [*CLOUD_TOKEN["sources"], {"secret": {"name": "payroll"}}]}

NOT_READY = {
    "key": "node.kubernetes.io/not-ready",
    "operator": "Exists",
    "effect": "NoExecute",
    "tolerationSeconds": 300,
}
TAINT = {"key": "dedicated", "operator": "Equal", "value": "featx", "effect": "NoSchedule"}
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {"matchLabels": {"featx.dev/role": "executor"}},
}

ATTACKS = [
    # Whose it is.
    Attack("no owner", without("metadata", "ownerReferences"), "metadata.ownerReferences"),
    Attack("another driver as owner", owner(name="other-1-driver"), "metadata.ownerReferences"),
    Attack("another uid as owner", owner(uid="00000000-0000-0000-0000-000000000001"), "metadata.ownerReferences"),
    Attack("an owner that does not control", owner(controller=False), "metadata.ownerReferences"),
    Attack("an owner of another kind", owner(kind="ConfigMap"), "metadata.ownerReferences"),
    Attack(
        "a second owner",
        lambda pod: pod["metadata"]["ownerReferences"].append(
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "00000000-0000-0000-0000-000000000001"}
        ),
        "metadata.ownerReferences",
    ),
    Attack("role of a driver", label("featx.dev/role", "driver"), "metadata.labels"),
    Attack("another run", label("featx.dev/name", "other"), "metadata.labels"),
    Attack("another attempt", label("featx.dev/attempt", "2"), "an executor"),
    Attack("another run's uid", another_uid, "featx.dev/uid"),
    Attack("not managed by Featx", label("app.kubernetes.io/managed-by", "me"), "metadata.labels"),
    Attack("label of another's Service", label("app", "web"), "metadata.labels"),
    Attack("no labels", without("metadata", "labels"), "metadata.labels"),
    Attack("name of another run's driver", metadata(name="later-1-driver"), "metadata.name"),
    Attack("name of nobody's executor", metadata(name="web"), "metadata.name"),
    Attack("name of another run's executor", renamed("^catalog-", "later-"), "metadata.name"),
    Attack("name of a run that begins alike", renamed("^catalog-", "catalog-2-"), "metadata.name"),
    Attack("name of a run with another uid", renamed(r"-[0-9a-f]{8}-", "-00000000-"), "metadata.name"),
    Attack("name without a uid", renamed(r"-[0-9a-f]{8}-", "-"), "metadata.name"),
    Attack("name of another attempt's executor", renamed("-1-exec-", "-2-exec-"), "metadata.name"),
    Attack("name with a longer end", renamed("$", "-driver"), "metadata.name"),
    Attack("name with two ends", renamed("$", "-exec-1"), "metadata.name"),
    Attack("finalizer that blocks its deletion", metadata(finalizers=["evil.test/stay"]), "metadata.finalizers"),
    Attack("second network", metadata(annotations={"k8s.v1.cni.cncf.io/networks": "host"}), "metadata.annotations"),
    # The pod.
    Attack("host network", spec(hostNetwork=True), "hostNetwork"),
    Attack("host PID namespace", spec(hostPID=True), "hostPID"),
    Attack("host IPC namespace", spec(hostIPC=True), "hostIPC"),
    Attack("shared PID namespace", spec(shareProcessNamespace=True), "shareProcessNamespace"),
    Attack("chosen node", spec(nodeName="control-plane"), "nodeName"),
    Attack("affinity to a node", spec(affinity={"nodeAffinity": {}}), "affinity"),
    Attack("names of others", spec(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["s3"]}]), "hostAliases"),
    Attack("DNS server of its own", spec(dnsPolicy="None", dnsConfig={"nameservers": ["10.0.0.1"]}), "dnsConfig"),
    Attack("DNS of the node", spec(dnsPolicy="Default"), "dnsPolicy"),
    Attack("name in DNS", spec(subdomain="web"), "subdomain"),
    Attack("scheduler of its own", spec(schedulerName="evil"), "schedulerName"),
    Attack("runs for ever", spec(restartPolicy="Always"), "restartPolicy"),
    Attack("tolerates the control plane", spec(tolerations=[{"operator": "Exists"}]), "spec.tolerations"),
    Attack("selects the control plane", spec(nodeSelector={"role": "control-plane"}), "spec.nodeSelector"),
    Attack("pool of others", spec(nodeSelector={"featx.dev/node-pool": "gpu"}), "spec.nodeSelector"),
    Attack("critical priority", spec(priorityClassName="system-node-critical"), "spec.priorityClassName"),
    Attack("token mounted", spec(automountServiceAccountToken=True), "automountServiceAccountToken"),
    Attack("token mounted by default", without("spec", "automountServiceAccountToken"), "automountServiceAccountToken"),
    Attack("another account", spec(serviceAccountName="other", serviceAccount="other"), "serviceAccountName"),
    Attack("runs as root", security(runAsNonRoot=False, runAsUser=0), "spec.securityContext"),
    Attack("runs as somebody else", security(runAsUser=1000), "spec.securityContext"),
    Attack("group of root", security(supplementalGroups=[0]), "spec.securityContext"),
    Attack("no seccomp", security(seccompProfile={"type": "Unconfined"}), "spec.securityContext"),
    Attack("sysctl", security(sysctls=[{"name": "kernel.shm_rmid_forced", "value": "1"}]), "spec.securityContext"),
    Attack("no security context", without("spec", "securityContext"), "spec.securityContext"),
    # What it mounts.
    Attack("the host's files", volume("work2", hostPath={"path": "/"}), "spec.volumes"),
    Attack("the host's files as scratch", volume("spark-local-dir-2", hostPath={"path": "/"}), "spec.volumes"),
    Attack("any ConfigMap", volume("secret-1", configMap={"name": "kube-root-ca.crt"}), "spec.volumes"),
    Attack("token as a volume", volume("secret-1", projected=TOKEN), "spec.volumes"),
    Attack("token for a cloud", volume("aws-iam-token", projected=CLOUD_TOKEN), "spec.volumes"),
    Attack("network file system", volume("claim-1", nfs={"server": "10.0.0.1", "path": "/"}), "spec.volumes"),
    Attack("driver of volumes", volume("claim-1", csi={"driver": "evil.test"}), "spec.volumes"),
    Attack("Secret under another name", volume("loot", secret={"secretName": "store"}), "spec.volumes"),
    Attack("Secret of others", volume("secret-1", secret={"secretName": "payroll"}), "spec.volumes"),
    Attack("claim of others", volume("claim-1", persistentVolumeClaim={"claimName": "payroll"}), "spec.volumes"),
    Attack("key of another run", volume("secret-1", secret=OTHERS_KEY), "spec.volumes"),
    Attack("key of another run as its own", only_volume("authentication", secret=OTHERS_KEY), "spec.volumes"),
    # Its container.
    Attack("init container", spec(initContainers=[OTHER]), "initContainers"),
    Attack("second container", lambda pod: pod["spec"]["containers"].append(OTHER), "spec.containers"),
    Attack("container of another name", container(name="driver"), "spec.containers"),
    Attack("image of its own", container(image="evil.test/image"), "image"),
    Attack("image like the job's", container(image="localhost/featx/job-evil:1"), "image"),
    Attack("command", container(command=["sh"]), "command"),
    Attack("other arguments", container(args=["bash", "-c", "id"]), "args"),
    Attack("no arguments", container(args=[]), "args"),
    Attack("working directory", container(workingDir="/proc"), "workingDir"),
    Attack("hook", container(lifecycle={"postStart": {"exec": {"command": ["sh"]}}}), "lifecycle"),
    Attack("probe", container(livenessProbe={"exec": {"command": ["sh"]}}), "livenessProbe"),
    Attack("terminal", container(tty=True), "tty"),
    Attack(
        "Secret as a variable",
        environment(valueFrom={"secretKeyRef": {"name": "payroll", "key": "a"}}),
        "env",
    ),
    Attack(
        "ConfigMap as a variable",
        environment(valueFrom={"configMapKeyRef": {"name": "kube-root-ca.crt", "key": "ca.crt"}}),
        "env",
    ),
    Attack("Secret as variables", container(envFrom=[{"secretRef": {"name": "payroll"}}]), "envFrom"),
    Attack("port of the node", container(ports=[{"containerPort": 7079, "hostPort": 7079}]), "ports"),
    Attack("device", container(resources={"limits": {"evil.test/device": 1}}), "resources"),
    Attack("privileged", container_security(privileged=True, allowPrivilegeEscalation=True), "securityContext"),
    Attack("more privileges", container_security(allowPrivilegeEscalation=True), "securityContext"),
    Attack(
        "capability",
        container_security(capabilities={"drop": ["ALL"], "add": ["NET_RAW"]}),
        "securityContext",
    ),
    Attack("all default capabilities", container_security(capabilities={"drop": ["KILL"]}), "securityContext"),
    Attack("container runs as root", container_security(runAsUser=0, runAsNonRoot=False), "securityContext"),
    Attack(
        "path in a volume",
        container(volumeMounts=[{"name": "work", "mountPath": "/var/featx", "subPath": "a"}]),
        "volumeMounts",
    ),
    Attack("message from another file", container(terminationMessagePath="/etc/passwd"), "terminationMessagePath"),
]
