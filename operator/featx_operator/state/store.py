"""The last known version of each object, fed by watches and by the responses to our own requests.

An older version never replaces a newer one, whatever its origin: a watch lags behind our own writes. Children are
stored under namespace, name and uid of their resource, and only while that resource is known: a pod elsewhere with the
same labels changes nothing. What is stored of an object is bounded, whatever people put into it. Of a run that has
ended nothing but a mark is stored, once none of its pods lives (`featx_operator.state.ended`).
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum

from featx_api.contract import DRIVER, EXECUTOR
from featx_api.status import FeatureExtractionStatus, Progress

from featx_operator import kueue
from featx_operator.objects import Body, Key, Owner, claimed_owner, essential, key_of, owner_from
from featx_operator.state.echoes import Echoes
from featx_operator.state.ended import Ended, ended_from
from featx_operator.state.observed import Pod, pod_from
from featx_operator.state.workload import Workload, workload_from

DELETED_PODS = 1000  # how many recently deleted pods are remembered
UNCLAIMED_PODS = 100_000  # for how many resources not known yet it is remembered that they have pods
RESOURCE_LIMIT = 32 * 1024  # bytes of a resource as JSON; of a larger one only the metadata is stored


class Lane(IntEnum):
    """How urgent a resource's reconcile is: of a run with pods, one that waits for a driver, and an ended one."""

    STARTED = 0
    NEW = 1
    ENDED = 2


@dataclass
class Children:
    """What is known of one resource's children.

    Attributes:
        pods: By their uids.
        files: Attempts whose ConfigMap may exist.
        created: Uid of the last driver that this process has created, by its attempt.
        taken: The attempt whose driver's name belonged to another pod, or 0.
        next_list: When they are to be compared with the API server, on the monotonic clock; None if they never were.
        stale: Whether the resource has changed, and no watch has said so yet.
        changed: Since when a change of a pod waits to be reported, on the monotonic clock, or None.
        workload: Its Kueue Workload, or what has that name.
        models: The models that it refers to (`state.models.model_key`).
    """

    pods: dict[str, Pod] = field(default_factory=dict)
    files: set[int] = field(default_factory=set)
    created: dict[int, str] = field(default_factory=dict)
    taken: int = 0
    next_list: float | None = None
    stale: bool = False
    changed: float | None = None
    workload: Workload | None = None
    models: frozenset[Key] = frozenset()


class Store:
    """Resources by key; children by their owners."""

    def __init__(self) -> None:
        self._resources: dict[Key, Body | Ended] = {}
        self._children: dict[Owner, Children] = {}
        self._deleted: OrderedDict[str, int] = OrderedDict()
        self.echoes = Echoes()
        # Hashes of owners whose pods were seen before them, and whether one of these may run.
        self._unclaimed: OrderedDict[int, bool] = OrderedDict()

    def resource(self, key: Key) -> Body | None:
        """The resource; None if it does not exist or has ended. It has no spec if it is too large to be stored."""
        stored = self._resources.get(key)
        return None if isinstance(stored, Ended) else stored

    def has_resource(self, key: Key) -> bool:
        """Whether anything is stored of a resource."""
        return key in self._resources

    def has_ended(self, key: Key) -> bool:
        """Whether only the mark of an ended run is stored."""
        return isinstance(self._resources.get(key), Ended)

    def lane(self, key: Key) -> Lane:
        """How urgent the resource's reconcile is."""
        stored = self._resources.get(key)
        if isinstance(stored, Ended):
            return Lane.ENDED
        if stored is None or (stored.get("status") or {}).get(DRIVER):
            return Lane.STARTED
        return Lane.STARTED if self._of(owner_from(stored)).pods else Lane.NEW

    def seconds_until_due(self, key: Key, now: datetime) -> float | None:
        """The seconds until the next reconcile of a resource that has just changed, or None if it needs none."""
        stored = self._resources.get(key)
        if stored is None:
            return None
        return stored.seconds_until_due(now) if isinstance(stored, Ended) else 0.0

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """How many resources there are by namespace, state and reason."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for key, stored in self._resources.items():
            if isinstance(stored, Ended):
                counts[key.namespace, "Succeeded" if stored.succeeded else "Failed", stored.reason] += 1
            else:
                written = (stored.get("status") or {}).get("conditions") or ()
                reason = next((item.get("reason", "") for item in written if item.get("type") == "Reconciling"), "")
                counts[key.namespace, "Active", reason] += 1
        return counts

    def running(self) -> Iterator[tuple[Key, Progress, int]]:
        """Yields each run whose recorded driver runs and has reported progress, with its number of ready executors."""
        for owner, children in self._children.items():
            body = self.resource(owner.key) or {}
            recorded = ((body.get("status") or {}).get(DRIVER) or {}).get("podUid")
            # Of a resource that is too large to be stored only what this process has created is known.
            driver = children.pods.get(recorded or next(iter(children.created.values()), ""))
            if driver and driver.role == DRIVER and driver.phase == "Running" and driver.progress:
                ready = sum(
                    pod.ready and pod.role == EXECUTOR and pod.owner == driver.uid for pod in children.pods.values()
                )
                yield owner.key, driver.progress, ready

    def put_resource(self, body: Body) -> bool:
        """Stores a resource; returns whether this version is news."""
        key = key_of(body)
        last = self._resources.get(key)
        if last is not None and _uid(last) != body["metadata"]["uid"]:
            self.drop_resource(key)
        elif last is not None and _version(last) >= _version(body):
            return False
        owner = owner_from(body)
        living = self._unclaimed.pop(hash(owner), None)
        if owner not in self._children and (ended := ended_from(body)):
            has_children, alive = living is not None, bool(living)
            if isinstance(last, Ended):
                has_children, alive = has_children or last.has_children, alive or last.alive
            self._resources[key] = replace(ended, has_children=has_children, alive=alive)
            return True
        self._resources[key] = _bounded(essential(body))
        self._children.setdefault(owner, Children())
        self._reduce(owner, body)
        return True

    def drop_resource(self, key: Key, uid: str | None = None) -> None:
        """Removes a resource and its children, unless the key belongs to another uid by now."""
        last = self._resources.get(key)
        if last is None or (uid is not None and _uid(last) != uid):
            return
        del self._resources[key]
        self._children.pop(Owner(key, _uid(last)), None)

    def put_cleaned(self, body: Body, alive: bool) -> None:
        """Stores the mark of an ended run, and whether any pod of it lives after a reconcile."""
        key = key_of(body)
        if (ended := ended_from(body)) and self.has_ended(key):
            self._resources[key] = replace(ended, alive=alive)

    def pods(self, owner: Owner) -> tuple[Pod, ...]:
        """The pods of a resource."""
        return tuple(self._of(owner).pods.values())

    def driver(self, owner: Owner, status: FeatureExtractionStatus) -> Pod | None:
        """The driver that a status records, or None."""
        return self._of(owner).pods.get(status.driver.pod_uid) if status.driver else None

    def put_pod(self, body: Body) -> Key | None:
        """Stores a pod; returns the key of its resource if this is news of a known one's child, None otherwise."""
        owner, pod = claimed_owner(body), pod_from(body)
        if pod is None:
            return None
        if owner not in self._children:
            return self._put_child_of_ended(owner, alive=not pod.ended)
        children = self._children[owner]
        last = children.pods.get(pod.uid)
        # The response to our own delete may arrive after the watch's DELETED.
        if pod.version <= self._deleted.get(pod.uid, -1) or (last is not None and last.version >= pod.version):
            return None
        children.pods[pod.uid] = pod
        children.changed = children.changed or time.monotonic()
        self._reduce(owner)
        return owner.key

    def put_created(self, owner: Owner, attempt: int, body: Body) -> None:
        """Stores a driver as the API server returned it to our own create request."""
        self._of(owner).created = {attempt: body["metadata"]["uid"]}
        self.echoes.expect("Pod", body)
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
        self._reduce(owner)

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
        self._reduce(owner)

    def workload(self, owner: Owner) -> Workload | None:
        """The Kueue Workload of a resource, or what has its name."""
        return self._of(owner).workload

    def put_workload(self, body: Body) -> Key | None:
        """Stores a Workload; returns the key of its resource, or None if that is not known or names another."""
        owner, workload = claimed_owner(body), workload_from(body)
        if workload.name != kueue.workload_name(owner.key.name, owner.uid):
            return None
        if owner not in self._children:
            return self._put_child_of_ended(owner, alive=not workload.is_true("Finished"))
        last = self._children[owner].workload
        if workload.version <= self._deleted.get(workload.uid, -1):
            return None
        if last is None or last.uid != workload.uid or last.version <= workload.version:
            self._children[owner].workload = workload
        return owner.key

    def replace_workload(self, owner: Owner, body: Body | None) -> None:
        """Replaces the Workload of a resource by what the API server has; None if it has none.

        Kueue may admit a Workload before the response to our own request is here: a newer version stays.
        """
        last, workload = self._of(owner).workload, workload_from(body) if body else None
        if workload and last and last.uid == workload.uid and last.version > workload.version:
            return
        self._of(owner).workload = workload
        self._reduce(owner)

    def workload_deleted(self, body: Body) -> Key | None:
        """Removes a Workload that left the watch; returns the key of its resource, or None."""
        uid, owner = body["metadata"]["uid"], claimed_owner(body)
        workload = self._of(owner).workload
        self._remember_deleted(uid, _version(body))
        if workload is None or workload.uid != uid:
            return None
        self._of(owner).workload = None
        self._reduce(owner)
        return owner.key

    def put_models(self, owner: Owner, models: frozenset[Key]) -> None:
        """Stores which models a resource refers to."""
        self._of(owner).models = models

    def referring(self, model: Key) -> list[Key]:
        """The resources that refer to a model and have not ended."""
        return [owner.key for owner, children in self._children.items() if model in children.models]

    def files(self, owner: Owner) -> frozenset[int]:
        """The attempts of a resource whose ConfigMap may exist."""
        return frozenset(self._of(owner).files)

    def put_files(self, owner: Owner, attempt: int) -> None:
        """Stores that an attempt's ConfigMap and Secret may exist."""
        self._of(owner).files.add(attempt)

    def drop_files(self, owner: Owner, attempt: int) -> None:
        """Stores that an attempt's ConfigMap and Secret are gone."""
        self._of(owner).files.discard(attempt)
        self._reduce(owner)

    def replace_files(self, owner: Owner, attempts: Iterable[int]) -> None:
        """Replaces the attempts whose ConfigMap exists by a list from the API server."""
        self._of(owner).files = set(attempts)

    def files_are_known(self, owner: Owner) -> bool:
        """Whether the files have been listed: later only this process changes them."""
        return self._of(owner).next_list is not None

    def is_taken(self, owner: Owner, attempt: int) -> bool:
        """Whether the name of an attempt's driver belonged to another pod when ours was created."""
        return self._of(owner).taken == attempt

    def put_taken(self, owner: Owner, attempt: int) -> None:
        """Stores the attempt whose driver's name belongs to another pod, or 0."""
        self._of(owner).taken = attempt

    def list_is_due(self, owner: Owner, untouched: bool) -> bool:
        """Whether the children are to be listed: not of a resource that no operator has touched, which has none."""
        children = self._of(owner)
        if children.stale or children.next_list is None:
            return children.stale or not untouched
        return time.monotonic() >= children.next_list

    def put_listed(self, owner: Owner, seconds: float) -> None:
        """Stores that the children are known now; the next list is due after about so many seconds."""
        children = self._of(owner)
        # Runs that were created together are not listed together.
        children.next_list = time.monotonic() + seconds * random.uniform(0.75, 1.25)
        children.stale = False

    def expire(self, key: Key) -> None:
        """Has a resource read and its children listed again, since it has changed and no watch has said so yet."""
        if (body := self.resource(key)) is not None:
            children = self._of(owner_from(body))
            children.stale, children.next_list = True, None

    def put_reported(self, owner: Owner) -> float | None:
        """Stores that the status says what is known; returns how long a change of a pod has waited for it, or None."""
        children = self._of(owner)
        waited = None if children.changed is None else time.monotonic() - children.changed
        children.changed = None
        return waited

    def _put_child_of_ended(self, owner: Owner, alive: bool) -> Key | None:
        """Marks that an ended resource has a child, or remembers it for a resource that may become known later."""
        stored = self._resources.get(owner.key)
        if isinstance(stored, Ended) and stored.uid == owner.uid:
            marked = replace(stored, has_children=True, alive=stored.alive or alive)
            self._resources[owner.key] = marked
            return owner.key if marked != stored else None
        self._unclaimed[hash(owner)] = self._unclaimed.get(hash(owner), False) or alive
        if len(self._unclaimed) > UNCLAIMED_PODS:
            self._unclaimed.popitem(last=False)
        return None

    def _reduce(self, owner: Owner, body: Body | None = None) -> None:
        """Reduces a resource to a mark if it has ended and has no pods, quota or earlier attempts' files left."""
        body = body or self.resource(owner.key)
        children = self._children.get(owner)
        ended = ended_from(body) if body is not None and children is not None else None
        if body is None or children is None or ended is None:
            return
        attempt = (body.get("status") or {}).get("attempt", 0)
        if children.workload and not children.workload.is_true("Finished"):
            return
        if all(pod.ended for pod in children.pods.values()) and children.files <= {attempt}:
            has_children = bool(children.pods or children.files or children.workload)
            self._resources[owner.key] = replace(ended, has_children=has_children)
            del self._children[owner]

    def _remember_deleted(self, uid: str, version: int) -> None:
        self._deleted[uid] = version
        if len(self._deleted) > DELETED_PODS:
            self._deleted.popitem(last=False)

    def _of(self, owner: Owner) -> Children:
        """The children of a resource; none that last if it is not known."""
        return self._children.get(owner) or Children()


def is_untouched(body: Body) -> bool:
    """Whether no attempt of a resource was ever started: a start is recorded before anything is created."""
    status = body.get("status") or {}
    # A resource that is too large to be stored has no status here; nobody knows.
    return "spec" in body and not status.get("startTime") and not status.get("attempt")


def _bounded(body: Body) -> Body:
    return body if len(json.dumps(body)) <= RESOURCE_LIMIT else {"metadata": body["metadata"]}


def _uid(stored: Body | Ended) -> str:
    return stored.uid if isinstance(stored, Ended) else str(stored["metadata"]["uid"])


def _version(stored: Body | Ended) -> int:
    return stored.version if isinstance(stored, Ended) else int(stored["metadata"].get("resourceVersion") or 0)
