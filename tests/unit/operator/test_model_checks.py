"""Models and the runs that refer to them, against an API server in memory: requests, lost races, forged pods, news."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from featx_operator.cluster.transport import ApiError
from featx_operator.model_checks import ModelChecker, Models
from featx_operator.model_handlers import ModelWatches
from featx_operator.objects import Key
from featx_operator.queue import Queue
from featx_operator.reconcile import Reconciler
from featx_operator.recorder import Recorder
from featx_operator.settings import Settings
from featx_operator.state.models import ModelStore

from tests.support.bad_resources import SHA256
from tests.unit.operator.api_server import CONFIG_MAPS, EVENTS, PODS, SECRETS, FakeApiServer
from tests.unit.operator.operator_process import KEY, RESOURCE, Operator

MODEL_KEY = Key("default", "resnet")
MODEL = "/apis/featx.dev/v1alpha1/namespaces/default/visionmodels/resnet"
CLUSTER_MODEL = "/apis/featx.dev/v1alpha1/clustervisionmodels/resnet"
POD = f"{PODS}/resnet-1-model"
SPEC = {"model": {"onnx": "s3://models/a.onnx", "sha256": SHA256, "s3": {"secretRef": {"name": "store"}}}, "layer": "a"}
GOOD = json.dumps({"graph": {"layers": 3, "parameters": 12, "gflopPerImage": 1}})


class Process(Operator):
    """An operator with an empty store, as after a restart, which also has models checked."""

    def __init__(self, api: FakeApiServer, cluster_models: str = "") -> None:
        super().__init__(api)
        self.leads, self.changed, self.settings = True, Queue(), Settings(cluster_models=cluster_models)
        self.known = ModelStore()
        self.checker = ModelChecker(api, self.known, self.settings, lambda: self.leads, lambda: self.now)
        self.lookup = Models(api, self.known, self.store, self.settings)
        self.news = ModelWatches(self.known, self.changed, self.store, self.queue)

    def watch_anew(self) -> None:
        """Empties the queues."""
        self.queue, self.changed = Queue(), Queue()
        self.news = ModelWatches(self.known, self.changed, self.store, self.queue)

    def deliver(self, path: str, type_: Any = "MODIFIED") -> list[Key]:
        """Delivers the current version of a model or pod; returns the runs that are queued by that."""
        handler = self.news.on_pod if path.startswith(PODS) else self.news.on_model

        async def run() -> list[Key]:
            await handler({"type": type_, "object": self.api.objects[path]})  # type: ignore[typeddict-item]
            queued = []
            while len(self.queue):
                queued.append(key := await self.queue.take())
                self.queue.done(key)
            return queued

        return asyncio.run(run())

    def check(self, key: Key = MODEL_KEY) -> float | None:
        return asyncio.run(self.checker.reconcile(key))

    def start(self) -> float | None:
        """Reconciles the run."""

        async def reconcile() -> float | None:
            recorder = Recorder(self.api, "replica")
            writer = asyncio.create_task(recorder.work())
            arguments = (self.api, self.store, self.admission, self.settings, recorder, lambda: self.now)
            again = await Reconciler(*arguments, models=self.lookup).reconcile(KEY)
            await recorder.flush()
            writer.cancel()
            return again

        return asyncio.run(reconcile())

    def model(self, path: str = MODEL) -> tuple[str, str]:
        """Status and reason of Ready."""
        conditions = self.api.objects[path]["status"]["conditions"]
        (ready,) = [item for item in conditions if item["type"] == "Ready"]
        return ready["status"], ready["reason"]

    def end(self, message: str = GOOD, code: int = 0, path: str = POD) -> None:
        state = {"terminated": {"exitCode": code, "message": message}}
        status = {"phase": "Failed" if code else "Succeeded", "containerStatuses": [{"name": "model", "state": state}]}
        self.api.put(path, {**self.api.objects[path], "status": status})


@pytest.fixture
def process(api: FakeApiServer) -> Process:
    """A model that no operator has seen, and a run that refers to it."""
    metadata = {"name": "resnet", "namespace": "default", "uid": "m-1", "generation": 1}
    api.put(MODEL, {"kind": "VisionModel", "metadata": metadata, "spec": SPEC | {"classes": ["cat"] * 1000}})
    run = api.objects[RESOURCE]
    run["spec"] = {**run["spec"], "extractor": {"modelRef": {"name": "resnet"}}}
    process = Process(api)
    process.deliver(MODEL)
    return process


def test_a_model_is_checked_by_one_pod_and_reported(process: Process) -> None:
    process.check()
    assert process.model() == ("False", "Pending")
    assert process.api.objects[POD]["metadata"]["ownerReferences"][0]["uid"] == "m-1"
    process.end()
    assert process.check() is None
    assert process.model() == ("True", "Checked")
    assert POD not in process.api.objects
    assert [item["reason"] for path, item in process.api.objects.items() if path.startswith(EVENTS)] == ["Checked"]
    assert [event for event in process.api.requests if event[0] == "POST" and event[1] == PODS] == [("POST", PODS)]
    later = Process(process.api)
    before = len(process.api.all_requests)
    later.deliver(MODEL)
    later.check()
    assert len(process.api.all_requests) == before


def test_an_operator_that_died_before_it_recorded_the_pod_replaces_it(process: Process) -> None:
    process.api.refusals["PATCH", f"{MODEL}/status"] = ApiError(500, "etcd is unavailable")
    with pytest.raises(ApiError, match="etcd"):
        process.check()
    process.end('{"graph": {"layers": 1, "parameters": 1, "gflopPerImage": 1}}')  # nobody knows whose it is by now
    later = Process(process.api)
    later.deliver(MODEL)
    later.check()
    assert later.model() == ("False", "Pending")
    later.end()
    later.check()
    assert later.model() == ("True", "Checked")


@pytest.mark.parametrize("labels", [{}, {"featx.dev/uid": "m-1", "featx.dev/role": "model"}])
def test_a_forged_pod_of_that_name_proves_nothing(process: Process, labels: dict[str, str]) -> None:
    owner = {"apiVersion": "featx.dev/v1alpha1", "kind": "VisionModel", "name": "resnet", "uid": "m-1"}
    own = {"ownerReferences": [{**owner, "controller": True}], "labels": labels}
    metadata = {"name": "resnet-1-model", "namespace": "default", **own}
    forged = process.api.put(POD, {"kind": "Pod", "metadata": metadata, "spec": {}}, create=True)
    process.end(GOOD)
    process.check()
    assert process.model() == ("False", "Pending")
    assert process.api.objects[POD]["metadata"]["uid"] != forged["metadata"]["uid"]


def test_the_pod_of_a_check_whose_operator_died_is_deleted_by_the_next_one(process: Process) -> None:
    process.check()
    process.end()
    process.api.refusals["DELETE", POD] = ApiError(500, "etcd is unavailable")
    with pytest.raises(ApiError, match="etcd"):
        process.check()
    later = Process(process.api)
    later.deliver(MODEL)
    later.deliver(POD)
    later.check()
    assert POD not in process.api.objects
    assert later.model() == ("True", "Checked")


def test_models_that_wait_for_others_cost_no_request(process: Process) -> None:
    for number in range(4):
        metadata = {"name": f"other-{number}", "namespace": "default", "uid": f"o-{number}", "generation": 1}
        status = {"check": {"generation": 1, "podUid": f"p-{number}"}}
        process.known.put({"metadata": metadata, "spec": SPEC, "status": status})
    process.check()
    assert process.model() == ("False", "Queued")
    before = len(process.api.all_requests)
    assert process.check() == 10
    assert len(process.api.all_requests) == before
    process.known.drop(Key("default", "other-0"))
    process.check()
    assert process.model() == ("False", "Pending")


def test_a_secret_needs_its_owners_label(process: Process) -> None:
    process.api.objects[f"{SECRETS}/store"]["metadata"]["labels"] = {}
    assert process.check() == 30
    assert process.model() == ("False", "SecretNotAllowed")
    assert POD not in process.api.objects
    process.api.objects[f"{SECRETS}/store"]["metadata"]["labels"] = {"featx.dev/store": "true"}
    process.check()
    assert process.model() == ("False", "Pending")


def test_a_replica_that_lost_the_lease_starts_nothing(process: Process) -> None:
    process.leads = False
    process.check()
    assert process.api.requests == []


def test_a_model_that_changed_meanwhile_is_read_again(process: Process) -> None:
    process.api.refusals["PATCH", f"{MODEL}/status"] = ApiError(409, "the object has been modified")
    process.check()
    assert process.model() == ("False", "Pending")


def test_news_of_a_model_wake_the_runs_that_refer_to_it(process: Process) -> None:
    process.watch({**process.api.objects[RESOURCE], "kind": "FeatureExtraction"})
    process.watch_anew()
    process.start()
    assert process.state("Succeeded") == ("Unknown", "ModelNotReady")
    assert process.event_reasons() == ["ModelNotReady"]
    process.check()
    process.end()
    process.check()
    assert process.deliver(MODEL) == [KEY]
    process.start()
    (config_map,) = process.api.names(CONFIG_MAPS)
    job = json.loads(process.api.objects[f"{CONFIG_MAPS}/{config_map}"]["data"]["job.json"])
    assert job["spec"]["extractor"]["model"]["onnx"] == "s3://models/a.onnx"
    assert job["spec"]["extractor"]["layer"] == "a"
    assert process.deliver(MODEL, "DELETED") == [KEY]
    process.watch({**process.api.objects[RESOURCE], "kind": "FeatureExtraction"}, "DELETED")
    process.store.drop_resource(KEY)
    assert process.deliver(MODEL) == []


def test_a_model_that_no_watch_has_delivered_yet_is_read(process: Process) -> None:
    process.known.drop(MODEL_KEY)
    process.watch({**process.api.objects[RESOURCE], "kind": "FeatureExtraction"})
    process.start()
    assert "has not been checked yet" in process.condition("Succeeded")["message"]


def test_a_pod_queues_the_model_that_it_names_only_if_there_is_one(process: Process) -> None:
    process.check()
    process.deliver(POD)
    assert len(process.changed) == 1
    process.known.drop(MODEL_KEY)
    process.watch_anew()
    process.deliver(POD)
    assert len(process.changed) == 0


def test_a_model_of_the_cluster_is_checked_in_the_namespace_of_the_settings(process: Process) -> None:
    metadata = {"name": "resnet", "uid": "c-1", "generation": 1}
    process.api.put(CLUSTER_MODEL, {"kind": "ClusterVisionModel", "metadata": metadata, "spec": SPEC})
    other = Process(process.api, cluster_models="default")
    other.deliver(CLUSTER_MODEL)
    other.check(Key("", "resnet"))
    reference = process.api.objects[POD]["metadata"]["ownerReferences"][0]
    assert (reference["kind"], reference["uid"]) == ("ClusterVisionModel", "c-1")
    other.deliver(POD)
    other.end()
    other.check(Key("", "resnet"))
    assert other.model(CLUSTER_MODEL) == ("True", "Checked")
    assert not [path for path in process.api.objects if path.startswith(EVENTS)]  # they would be in no namespace


def test_a_deleted_model_is_forgotten(process: Process) -> None:
    process.check()
    process.deliver(MODEL, "DELETED")
    assert process.check() is None


def test_retries_are_paced(process: Process) -> None:
    failure = json.dumps({"failure": {"class": "StoreUnreachable", "message": "no answer"}})
    process.check()
    process.end(failure, 1)
    assert process.check() == 10
    assert POD not in process.api.objects
    process.advance(10)
    process.check()
    assert POD in process.api.objects
    assert process.api.objects[MODEL]["status"]["check"]["failures"] == 1
