"""Executors come and go while a run works: by its spec, and as a drain of their node takes them."""

from __future__ import annotations

import json

from tests.e2e.polling import eventually
from tests.e2e.run.harness import Run, Store, apply, kubectl, resource

COPIES = 4  # of each image: long enough for executors to start and stop
SHARD = 5


def executors(run: Run, count: int) -> None:
    """Changes the number, and waits until so many are ready."""
    kubectl(
        "patch", "fx", run.name, "--type=merge", f"--patch={json.dumps({'spec': {'execution': {'executors': count}}})}"
    )
    eventually(lambda: run.status["executors"]["summary"] == f"{count}/{count}", f"{count} executors", 90)


def test_executors_that_come_and_go_lose_no_work_and_repeat_none(
    store: Store, noise: dict[str, bytes], resnet: dict[str, object]
) -> None:
    images = {f"{copy}-{name}": data for copy in range(COPIES) for name, data in noise.items()}
    store.put_images("images/scaled", images)
    run = apply(resource("scaled", store, None, resnet, execution={"shardImages": SHARD, "executors": 1, "cores": 1}))
    eventually(lambda: store.shards_done("tables/scaled"), "scaled is in the middle", 300)
    executors(run, 2)
    first = run.pods("executor")[0]["metadata"]["name"]
    kubectl("delete", "pod", first, "--wait=false")  # as a drain does
    eventually(lambda: first not in [pod["metadata"]["name"] for pod in run.pods("executor")], f"{first} is gone", 90)
    executors(run, 1)
    eventually(lambda: run.condition("Finished").get("status") == "True", "scaled has finished", 480)
    run.wait()
    assert run.status["attempt"] == 1
    assert "failedAttempts" not in run.status or run.status["failedAttempts"] == 0
    keys = [row["key"] for row in store.rows("tables/scaled")]
    assert len(keys) == len(set(keys)) == len(images)
    assert "Lost task" not in kubectl("logs", "scaled-1-driver"), "no shard was begun twice"
