"""The resource is translated to task settings: exactly the fields that executors need."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from featx_api.executor_contract import HBaseTable, ObjectsLine, RangesLine, TaskSettings
from featx_api.spec import FeatureExtractionSpec
from featx_job.source import hbase
from featx_job.spark.memory import Sizes
from featx_job.spark.task_settings import task_settings
from featx_job.table.output import OutputFolders

GOLDEN = Path(__file__).parents[4] / "jobimage/contract/golden"
MODEL = {"onnx": "s3://models/net.onnx", "sha256": "0" * 64}
EVERYTHING = {
    "source": {
        "hbase": {
            "quorum": "zk-0.zk:2181",
            "table": "shop:images",
            "column": "p:jpg:large",
            "since": "2026-11-01T00:00:00.5Z",
        }
    },
    "detector": {
        "model": MODEL,
        "input": {"mean": [104, 117, 123], "scale": 0.5, "channels": "BGR"},
        "scoreThreshold": 0.6,
        "classes": [3, 7],
        "crop": {"margin": 0.2, "minArea": 0.05, "fallback": "skip"},
    },
    "extractor": {
        "model": MODEL,
        "input": {"mean": [127.5, 127.5, 127.5], "scale": 0.0078125, "channels": "RGB"},
        "layer": "feature",
        "binarize": {"method": "fixed", "threshold": 0.25},
    },
    "engine": "openvino",
    "precision": "bf16",
    "decoding": {"background": "#FF8000", "damaged": "keep"},
    "limits": {"megapixels": 40, "mebibytes": 32},
    "output": {"uri": "s3://out/table"},
    "execution": {"storeTimeoutSeconds": 90},
}
LEAST = {
    "source": {"files": {"uri": "file:///images"}},
    "extractor": {"model": MODEL, "layer": "feature"},
    "output": {"uri": "file:///table"},
}


FOLDERS = OutputFolders(
    features="s3a://out/table",
    quarantine="s3a://out/table/_featx/u-1/quarantine",
    done="s3a://out/table/_featx/u-1/done",
    logged=True,
)


HOSTS = ("*.example.com", "images.intra:8080")


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text())


SAMPLES = [
    ObjectsLine(index=0, base="s3a://images/", objects=(listed,)).to_json()
    for listed in (("shoes/1.jpg", 20480), ("shoes/9.jpg", 512))
]


def settings(
    spec: dict[str, Any], sizes: Sizes, cores: int, folders: OutputFolders | None, samples: list[str], *hosts: str
) -> TaskSettings:
    return task_settings(FeatureExtractionSpec.model_validate(spec), sizes, cores, folders, samples, hosts)


def test_every_field_that_executors_need_is_passed() -> None:
    written = settings(EVERYTHING, Sizes(batch=8, streams=4, heap=1000, pod=3000), 6, FOLDERS, SAMPLES, *HOSTS)
    assert json.loads(written.to_json()) == golden("task-settings.json")


def test_unset_sections_are_null() -> None:
    written = settings(
        LEAST,
        Sizes(batch=4, streams=1, heap=1000, pod=3000),
        1,
        None,
        [RangesLine(index=0, ranges=(), since=0, limit=8).to_json()],
    )
    assert json.loads(written.to_json()) == golden("task-settings.least.json")


def renamed(model: Any, path: list[str]) -> Any:
    """A model's fields as a namespace in which the field at the path is renamed."""
    fields = {name: getattr(model, name) for name in type(model).model_fields}
    name = path[0]
    if len(path) > 1:
        return SimpleNamespace(**fields | {name: renamed(fields[name], path[1:])})
    return SimpleNamespace(**{f"{field}_renamed" if field == name else field: value for field, value in fields.items()})


@pytest.mark.parametrize(
    "path",
    [
        "engine",
        "precision",
        "detector.input",
        "detector.score_threshold",
        "detector.classes",
        *(f"detector.crop.{name}" for name in ("margin", "min_area", "fallback")),
        *(f"extractor.input.{name}" for name in ("mean", "scale", "channels")),
        *(f"extractor.binarize.{name}" for name in ("method", "threshold")),
        "limits.megapixels",
        "limits.mebibytes",
        "execution.store_timeout_seconds",
        *("source.include", "source.exclude", "source.keys"),
        *(f"source.hbase.{name}" for name in ("quorum", "znode", "table", "column", "since", "until", "snapshot")),
    ],
)
def test_a_renamed_resource_field_breaks_the_translation_not_java(path: str) -> None:
    spec = renamed(FeatureExtractionSpec.model_validate(EVERYTHING), path.split("."))
    with pytest.raises(AttributeError, match=path.rsplit(".", 1)[-1]):
        task_settings(spec, Sizes(batch=8, streams=4, heap=1000, pod=3000), 6, None)


def test_snapshot_links_are_created_in_a_folder_of_the_run() -> None:
    spec = {
        "table": "images",
        "column": "p:",
        "until": "2026-11-01T00:00:00.5Z",
        "snapshot": {"name": "nightly", "rootDir": "hdfs://namenode:8020/hbase"},
    }
    source = FeatureExtractionSpec.model_validate({**LEAST, "source": {"hbase": spec}}).source.hbase
    assert source is not None
    written: HBaseTable = hbase.table_settings(source, "s3://out/table", ["shop/**/*.JPG"])
    assert json.loads(written.to_json()) == golden("hbase-table.json")
