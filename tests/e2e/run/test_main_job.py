"""The main job: real images and real nets, from `kubectl apply` to a table, and the status on the way."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.e2e.names import SECRET_KEY
from tests.e2e.polling import eventually
from tests.e2e.run.harness import BUCKET, Run, Store, apply, contents_by_name, kubectl, resource
from tests.support import images

FILES = images.paths(40)
COUNT = len(FILES)  # about twenty if only scikit-image's are available


@pytest.fixture(scope="module")
def run(store: Store, faces: dict[str, object], resnet: dict[str, object]) -> Run:
    """A succeeded run over real images and one text file."""
    files = contents_by_name(FILES)
    store.put_images("images/main", files | {"not-an-image.jpg": b"this is text"})
    applied = apply(resource("main", store, faces, resnet, execution={"shardImages": 8}))
    eventually(lambda: applied.pods("executor"), "an executor pod", 120)
    nodes = {pod["metadata"]["name"]: pod["spec"] for pod in applied.pods("executor") + applied.pods("driver")}
    assert len(nodes) == 2, "driver and executor run in one pod each"
    return applied.wait()


def test_the_table_has_one_row_per_image_and_the_text_file_is_in_quarantine(run: Run, store: Store) -> None:
    rows = store.rows("tables/main")
    assert [row["key"] for row in rows] == sorted(row["key"] for row in rows)
    assert len({row["key"] for row in rows}) == len(rows) == COUNT
    assert all(len(row["feature"]) == 1024 and len(row["bits"]) == 128 for row in rows)
    (quarantined,) = store.rows("tables/main/_quarantine")
    assert quarantined["key"].endswith("not-an-image.jpg")
    assert (quarantined["stage"], quarantined["reason"]) == ("decode", "NotAnImage")


def test_the_status_reports_counts_and_outputs(run: Run) -> None:
    status = run.status
    progress = status["progress"]
    assert (progress["imagesTotal"], progress["imagesDone"], progress["imagesFailed"]) == (COUNT + 1, COUNT + 1, 1)
    assert (progress["percent"], progress["summary"]) == (100, f"{COUNT + 1}/{COUNT + 1}")
    assert progress["stepSeconds"].keys() == {"read", "decode", "idle", "detect", "extract", "write"}
    assert min(seconds for step, seconds in progress["stepSeconds"].items() if step != "idle") > 0
    features, quarantine = status["outputs"]
    assert (features["uri"], features["recordCount"]) == (f"s3://{BUCKET}/tables/main", COUNT)
    assert features["bytes"] > 0
    assert (quarantine["uri"], quarantine["recordCount"]) == (f"s3://{BUCKET}/tables/main/_quarantine", 1)
    assert run.condition("Succeeded")["status"] == "True"
    assert run.condition("Reconciling")["status"] == "False"
    assert status["attempt"] == 1


def test_manifest_and_success_marker_are_next_to_the_table(run: Run, store: Store) -> None:
    manifest = json.loads(store.client.get_object(BUCKET, "tables/main/_manifest.json").read())
    assert manifest["name"] == "main"
    assert manifest["progress"]["imagesDone"] == COUNT + 1
    store.client.stat_object(BUCKET, "tables/main/_SUCCESS")


def test_openvino_and_bigdl_compute_the_same_features(
    run: Run, store: Store, faces: dict[str, object], resnet: dict[str, object]
) -> None:
    store.put_images("images/openvino", contents_by_name(FILES))
    apply(resource("openvino", store, faces, resnet, engine="openvino")).wait()
    expected = [row["feature"] for row in store.rows("tables/main")]
    actual = [row["feature"] for row in store.rows("tables/openvino")]
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-3)


def test_pods_config_maps_status_and_log_contain_no_secret(run: Run) -> None:
    everything = kubectl("get", "pods,configmaps,fx", "--output=yaml") + run.driver_log()
    assert SECRET_KEY not in everything


def test_no_executor_is_left_after_the_run(run: Run) -> None:
    eventually(lambda: not run.pods("executor"), "no executor left")
