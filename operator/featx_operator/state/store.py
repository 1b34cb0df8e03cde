"""The last that was seen of each object, fed by the watches and by the answers to our own requests.

An older version never replaces a newer one, wherever it comes from: a watch lags behind our own writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from featx_api.contract import LABEL_NAME, LABEL_UID

from featx_operator.queue import Key
from featx_operator.state.observed import Pod, pod_from

Body = Mapping[str, Any]

REMEMBERED = 1000  # pods that were deleted lately


def key_of(body: Body) -> Key:
    """Returns the key of a resource."""
    return Key(body["metadata"]["namespace"], body["metadata"]["name"])


def owner_of(pod: Body) -> Key | None:
    """Returns the key of the resource that a pod belongs to by its labels, or None."""
    name = (pod["metadata"].get("labels") or {}).get(LABEL_NAME)
    return Key(pod["metadata"]["namespace"], name) if name else None


class Store:
    """Resources by key; pods and ConfigMap names by the uid of their resource."""

    def __init__(self) -> None:
        self._resources: dict[Key, Body] = {}
        self._pods: dict[str, dict[str, Pod]] = {}
        self._config_maps: dict[str, set[str]] = {}
        self._gone: deque[str] = deque(maxlen=REMEMBERED)

    def resource(self, key: Key) -> Body | None:
        """Returns a resource, or None if there is none."""
        return self._resources.get(key)

    def keys(self) -> list[Key]:
        """Returns the keys of all resources."""
        return list(self._resources)

    def put_resource(self, body: Body) -> None:
        """Remembers a resource."""
        key = key_of(body)
        last = self._resources.get(key)
        if last and _uid(last) != _uid(body):
            self.drop_resource(key)
        elif last and _version(last) > _version(body):
            return
        self._resources[key] = body

    def drop_resource(self, key: Key, uid: str | None = None) -> None:
        """Forgets a resource and its children, unless it is another one by now."""
        last = self._resources.get(key)
        if last is None or (uid is not None and _uid(last) != uid):
            return
        del self._resources[key]
        self._pods.pop(_uid(last), None)
        self._config_maps.pop(_uid(last), None)

    def pods(self, uid: str) -> tuple[Pod, ...]:
        """Returns the pods of a resource."""
        return tuple(self._pods.get(uid, {}).values())

    def put_pod(self, body: Body) -> None:
        """Remembers a pod."""
        uid = body["metadata"]["labels"][LABEL_UID]
        pod = pod_from(body)
        if pod.uid in self._gone:
            return  # the answer to our own delete, overtaken by the watch
        known = self._pods.setdefault(uid, {})
        last = known.get(pod.name)
        if last is None or last.uid != pod.uid or last.version <= pod.version:
            known[pod.name] = pod

    def drop_pod(self, body: Body) -> None:
        """Forgets a pod, unless another one has its name by now."""
        uid = (body["metadata"].get("labels") or {}).get(LABEL_UID, "")
        self._gone.append(body["metadata"]["uid"])
        self.forget_pod(uid, body["metadata"]["name"], body["metadata"]["uid"])

    def forget_pod(self, owner: str, name: str, uid: str) -> None:
        """Forgets a pod by its resource's uid, its name and its own uid."""
        known = self._pods.get(owner, {})
        if name in known and known[name].uid == uid:
            del known[name]
            if not known:
                self._pods.pop(owner, None)

    def replace_pods(self, uid: str, bodies: Iterable[Body]) -> None:
        """Takes a list from the API server for the whole truth about a resource's pods."""
        self._pods[uid] = {pod.name: pod for pod in map(pod_from, bodies)}

    def config_maps(self, uid: str) -> frozenset[str]:
        """Returns the names of a resource's ConfigMaps."""
        return frozenset(self._config_maps.get(uid, ()))

    def replace_config_maps(self, uid: str, names: Iterable[str]) -> None:
        """Takes a list from the API server for the whole truth about a resource's ConfigMaps."""
        self._config_maps[uid] = set(names)

    def put_config_map(self, uid: str, name: str) -> None:
        """Remembers a ConfigMap."""
        self._config_maps.setdefault(uid, set()).add(name)

    def forget_config_map(self, uid: str, name: str) -> None:
        """Forgets a ConfigMap."""
        self._config_maps.get(uid, set()).discard(name)


def _uid(body: Body) -> str:
    return str(body["metadata"]["uid"])


def _version(body: Body) -> int:
    return int(body["metadata"].get("resourceVersion") or 0)
