"""The last known version of each object, fed by watches and by the responses to our own requests.

An older version never replaces a newer one, whatever its origin: a watch lags behind our own writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from featx_api.contract import LABEL_UID

from featx_operator.objects import Body, Key, key_of
from featx_operator.state.observed import Pod, pod_from

DELETED_PODS = 1000  # how many uids of recently deleted pods are remembered


class Store:
    """Resources by key; pods and ConfigMap names by the uid of their resource."""

    def __init__(self) -> None:
        self._resources: dict[Key, Body] = {}
        self._pods: dict[str, dict[str, Pod]] = {}
        self._config_maps: dict[str, set[str]] = {}
        self._deleted: deque[str] = deque(maxlen=DELETED_PODS)

    def resource(self, key: Key) -> Body | None:
        """The resource, or None if it does not exist."""
        return self._resources.get(key)

    def put_resource(self, body: Body) -> None:
        """Stores a resource."""
        key = key_of(body)
        last = self._resources.get(key)
        if last and _uid(last) != _uid(body):
            self.drop_resource(key)
        elif last and _version(last) > _version(body):
            return
        self._resources[key] = body

    def drop_resource(self, key: Key, uid: str | None = None) -> None:
        """Removes a resource and its children, unless the key belongs to another uid by now."""
        last = self._resources.get(key)
        if last is None or (uid is not None and _uid(last) != uid):
            return
        del self._resources[key]
        self._pods.pop(_uid(last), None)
        self._config_maps.pop(_uid(last), None)

    def pods(self, owner: str) -> tuple[Pod, ...]:
        """The pods of a resource."""
        return tuple(self._pods.get(owner, {}).values())

    def put_pod(self, body: Body) -> None:
        """Stores a pod."""
        pod = pod_from(body)
        if pod.uid in self._deleted:
            return  # the response to our own delete arrived after the watch's DELETED
        pods = self._pods.setdefault(body["metadata"]["labels"][LABEL_UID], {})
        last = pods.get(pod.name)
        if last is None or last.uid != pod.uid or last.version <= pod.version:
            pods[pod.name] = pod

    def pod_deleted(self, body: Body) -> None:
        """Removes a pod that the API server no longer has; late news of it are ignored from now on."""
        metadata = body["metadata"]
        self._deleted.append(metadata["uid"])
        self.drop_pod((metadata.get("labels") or {}).get(LABEL_UID, ""), metadata["name"], metadata["uid"])

    def drop_pod(self, owner: str, name: str, uid: str) -> None:
        """Removes a pod, unless its name belongs to another uid by now."""
        pods = self._pods.get(owner, {})
        if name in pods and pods[name].uid == uid:
            del pods[name]
            if not pods:
                self._pods.pop(owner, None)

    def replace_pods(self, owner: str, bodies: Iterable[Body]) -> None:
        """Replaces all pods of a resource by a list from the API server."""
        self._pods[owner] = {pod.name: pod for pod in map(pod_from, bodies)}

    def config_maps(self, owner: str) -> frozenset[str]:
        """The names of a resource's ConfigMaps."""
        return frozenset(self._config_maps.get(owner, ()))

    def put_config_map(self, owner: str, name: str) -> None:
        """Stores the name of a ConfigMap."""
        self._config_maps.setdefault(owner, set()).add(name)

    def drop_config_map(self, owner: str, name: str) -> None:
        """Removes the name of a ConfigMap."""
        self._config_maps.get(owner, set()).discard(name)

    def replace_config_maps(self, owner: str, names: Iterable[str]) -> None:
        """Replaces all ConfigMap names of a resource by a list from the API server."""
        self._config_maps[owner] = set(names)


def _uid(body: Body) -> str:
    return str(body["metadata"]["uid"])


def _version(body: Body) -> int:
    return int(body["metadata"].get("resourceVersion") or 0)
