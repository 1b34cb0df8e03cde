"""One resource per night over one table: the second run processes the changes, and readers never see a key twice."""

from __future__ import annotations

from typing import Any

from tests.e2e.run.harness import BUCKET, Run, Store, apply, resource

FOLDER = "images/nightly"


def night(name: str, store: Store, extractor: dict[str, Any]) -> Run:
    """Applies a night's resource; they differ only in their names."""
    body = resource(name, store, None, extractor, execution={"shardImages": 5})
    body["spec"]["source"]["s3"]["prefix"] = f"{FOLDER}/"
    body["spec"]["output"] = {"uri": f"s3://{BUCKET}/tables/nightly", "mode": "incremental"}
    return apply(body).wait()


def test_a_second_run_adds_only_new_and_changed_images_to_the_table(
    store: Store, noise: dict[str, bytes], tiny: dict[str, Any]
) -> None:
    names = sorted(noise)
    store.put_images(FOLDER, {name: noise[name] for name in names[:-1]})
    night("monday", store, tiny)
    before = {row["key"]: row["feature"] for row in store.rows("tables/nightly")}
    assert len(before) == len(names) - 1
    changed, new = f"{FOLDER}/{names[0]}", f"{FOLDER}/{names[-1]}"
    store.put_images(FOLDER, {names[0]: noise[names[1]], names[-1]: noise[names[-1]]})
    second = night("tuesday", store, tiny)
    assert second.status["progress"]["imagesTotal"] == 2
    rows = store.rows("tables/nightly")
    after = {row["key"]: row["feature"] for row in rows}
    assert len(rows) == len(after) == len(names)
    assert {key for key in after if after[key] != before.get(key)} == {changed, new}
