"""The last known version of each object, fed by watches and by the responses to our own requests.

An older version never replaces a newer one, whatever its origin: a watch lags behind our own writes. Children are
stored under namespace, name and uid of their resource, and only while that resource is known: a pod elsewhere with the
same labels changes nothing. What is stored of an object is bounded, whatever people put into it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from featx_operator import kueue
from featx_operator.objects import Body, Key, Owner, claimed_owner, essential, key_of, owner_from
from featx_operator.state.observed import Pod, pod_from
from featx_operator.state.workload import Workload, workload_from

DELETED_PODS = 1000  # how many recently deleted pods are remembered
RESOURCE_LIMIT = 32 * 1024  # bytes of a resource as JSON; of a larger one only the metadata is stored


@dataclass
class Children:
    """What is known of one resource's children.

    Attributes:
        pods: By their uids.
        files: Attempts whose ConfigMap may exist.
        created: Uid of the last driver that this process has created, by its attempt.
        workload: Its Kueue Workload, or what has that name.
    """

    pods: dict[str, Pod] = field(default_factory=dict)
    files: set[int] = field(default_factory=set)
    created: dict[int, str] = field(default_factory=dict)
    workload: Workload | None = None


class Store:
    """Resources by key; children by their owners."""

    def __init__(self) -> None:
        self._resources: dict[Key, Body] = {}
        self._children: dict[Owner, Children] = {}
        self._deleted: OrderedDict[str, int] = OrderedDict()

    def resource(self, key: Key) -> Body | None:
        """The resource, or None if it does not exist. It has no spec if it is too large to be stored."""
        return self._resources.get(key)

    def put_resource(self, body: Body) -> None:
        """Stores a resource."""
        key = key_of(body)
        last = self._resources.get(key)
        if last and last["metadata"]["uid"] != body["metadata"]["uid"]:
            self.drop_resource(key)
        elif last and _version(last) > _version(body):
            return
        self._resources[key] = _bounded(essential(body))
        self._children.setdefault(owner_from(body), Children())

    def drop_resource(self, key: Key, uid: str | None = None) -> None:
        """Removes a resource and its children, unless the key belongs to another uid by now."""
        last = self._resources.get(key)
        if last is None or (uid is not None and last["metadata"]["uid"] != uid):
            return
        del self._resources[key]
        self._children.pop(owner_from(last), None)

    def pods(self, owner: Owner) -> tuple[Pod, ...]:
        """The pods of a resource."""
        return tuple(self._of(owner).pods.values())

    def put_pod(self, body: Body) -> Key | None:
        """Stores a pod; returns the key of its resource, or None if it is no child of a known one."""
        owner, pod = claimed_owner(body), pod_from(body)
        if owner not in self._children or pod is None:
            return None
        pods = self._children[owner].pods
        last = pods.get(pod.uid)
        # The response to our own delete may arrive after the watch's DELETED.
        if pod.version > self._deleted.get(pod.uid, -1) and (last is None or last.version <= pod.version):
            pods[pod.uid] = pod
        return owner.key

    def put_created(self, owner: Owner, attempt: int, body: Body) -> None:
        """Stores a driver as the API server returned it to our own create request."""
        self._of(owner).created = {attempt: body["metadata"]["uid"]}
        self.put_pod(body)

    def created(self, owner: Owner) -> Mapping[int, str]:
        """The uid of the last driver that this process has created, by its attempt."""
        return dict(self._of(owner).created)

    def pod_deleted(self, body: Body) -> Key | None:
        """Removes a pod that left the watch; returns the key of its resource. Older news of it are ignored from now on.

        It is deleted, or its labels have changed: then it comes back with a newer version.
        """
        uid, owner = body["metadata"]["uid"], claimed_owner(body)
        if uid not in self._of(owner).pods:
            return None
        self._remember_deleted(uid, _version(body))
        self.drop_pod(owner, uid)
        return owner.key

    def drop_pod(self, owner: Owner, uid: str) -> None:
        """Removes a pod."""
        self._of(owner).pods.pop(uid, None)

    def replace_pods(self, owner: Owner, pods: Iterable[Pod]) -> None:
        """Replaces all pods of a resource by a list from the API server."""
        listed = list(pods)
        children = self._of(owner)
        newer = {pod.uid: pod for pod in children.pods.values()}  # the watch did not wait for the list
        children.pods = {
            pod.uid: max(pod, newer.get(pod.uid, pod), key=lambda one: one.version)
            for pod in listed
            if pod.version > self._deleted.get(pod.uid, -1)
        }

    def workload(self, owner: Owner) -> Workload | None:
        """The Kueue Workload of a resource, or what has its name."""
        return self._of(owner).workload

    def put_workload(self, body: Body) -> Key | None:
        """Stores a Workload; returns the key of its resource, or None if that is not known or names another."""
        owner = claimed_owner(body)
        if owner not in self._children or body["metadata"]["name"] != kueue.workload_name(owner.key.name, owner.uid):
            return None
        workload, last = workload_from(body), self._children[owner].workload
        if workload.version <= self._deleted.get(workload.uid, -1):
            return None
        if last is None or last.uid != workload.uid or last.version <= workload.version:
            self._children[owner].workload = workload
        return owner.key

    def replace_workload(self, owner: Owner, body: Body | None) -> None:
        """Replaces the Workload of a resource by what the API server has; None if it has none."""
        self._of(owner).workload = workload_from(body) if body else None

    def workload_deleted(self, body: Body) -> Key | None:
        """Removes a Workload that left the watch; returns the key of its resource, or None."""
        uid, owner = body["metadata"]["uid"], claimed_owner(body)
        workload = self._of(owner).workload
        self._remember_deleted(uid, _version(body))
        if workload is None or workload.uid != uid:
            return None
        self._of(owner).workload = None
        return owner.key

    def files(self, owner: Owner) -> frozenset[int]:
        """The attempts of a resource whose ConfigMap may exist."""
        return frozenset(self._of(owner).files)

    def put_files(self, owner: Owner, attempt: int) -> None:
        """Stores that an attempt's ConfigMap and Secret may exist."""
        self._of(owner).files.add(attempt)

    def drop_files(self, owner: Owner, attempt: int) -> None:
        """Stores that an attempt's ConfigMap and Secret are gone."""
        self._of(owner).files.discard(attempt)

    def replace_files(self, owner: Owner, attempts: Iterable[int]) -> None:
        """Replaces the attempts whose ConfigMap exists by a list from the API server."""
        self._of(owner).files = set(attempts)

    def _remember_deleted(self, uid: str, version: int) -> None:
        self._deleted[uid] = version
        if len(self._deleted) > DELETED_PODS:
            self._deleted.popitem(last=False)

    def _of(self, owner: Owner) -> Children:
        """The children of a resource; none that last if it is not known."""
        return self._children.get(owner) or Children()


def _bounded(body: Body) -> Body:
    return body if len(json.dumps(body)) <= RESOURCE_LIMIT else {"metadata": body["metadata"]}


def _version(body: Body) -> int:
    return int(body["metadata"].get("resourceVersion") or 0)
