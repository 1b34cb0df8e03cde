"""Whatever the models accept, Kubernetes accepts in the pods and ConfigMaps that follow from it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from featx_api import names
from featx_api.resource import FeatureExtraction
from featx_api.source import KEYS_LIMIT, Row, Salt
from featx_operator import manifests
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.support.bad_resources import SHA256, good
from tests.support.kubernetes_names import POD_LIMIT, config_map_problems, pod_problems

Strategy = st.SearchStrategy[str]

# What names consist of, and what must not get into them.
WORDS = st.text(alphabet="ab9-._:/@ AZ~%$\\\"'\n\t\x1b\u202e\u00e9\U0001f600", max_size=24)
LONG = st.builds(
    lambda part, count: (part * count)[:1100], st.sampled_from(["a", "a.", "a-b.", "\U0001f600"]), st.integers(1, 1100)
)


def accepted(kind: Any, candidates: Strategy, otherwise: str) -> Strategy:
    """The candidates that a type of the API accepts; in place of each other, a plain value."""
    adapter = TypeAdapter(kind)

    def fits(candidate: str) -> bool:
        try:
            adapter.validate_python(candidate)
        except ValidationError:
            return False
        return True

    return candidates.map(lambda candidate: candidate if fits(candidate) else otherwise)


def names_of(kind: Any) -> Strategy:
    simple = st.text(alphabet="abz019-.", min_size=1, max_size=12)
    return accepted(kind, simple | LONG | st.sampled_from(["a" * 63, "a.b-c.d", "..", "A"]), "a")


def uris(kind: Any, *schemes: str) -> Strategy:
    name = st.text(alphabet="abz09-.", min_size=1, max_size=8) | LONG
    anything = st.builds("{}{}/{}".format, st.sampled_from(schemes), name, WORDS | LONG)
    return accepted(kind, anything, "claim://photos/a") | accepted(
        kind, st.builds("claim://{}/a".format, name), "claim://a/b"
    )


OBJECT_NAMES = names_of(names.ObjectName)
MEMORY = accepted(names.Memory, st.builds("{}{}".format, st.integers(0, 10**7), st.sampled_from(["Mi", "Gi"])), "1Gi")
IMAGES = accepted(names.ImageName, st.text(alphabet="ab1-._:/@A \n", min_size=1, max_size=9) | LONG, "a/b:1")
POOLS = accepted(names.LabelValue, st.text(alphabet="aZ0-_. ", min_size=1, max_size=70), "xeon")
SECRETS: st.SearchStrategy[Any] = st.fixed_dictionaries({"secretRef": st.fixed_dictionaries({"name": OBJECT_NAMES})})
MODEL_PARTS: dict[str, st.SearchStrategy[Any]] = {
    "onnx": uris(names.ModelUri, "s3://abc", "claim://", "file:///"),
    "sha256": st.just(SHA256),
}
MODELS = st.fixed_dictionaries(MODEL_PARTS, optional={"s3": SECRETS})
TABLES = uris(names.TableUri, "s3://abc", "claim://", "file:///", "hdfs://")
KEYS = st.lists(accepted(names.ImageKey, WORDS | LONG, "a.jpg"), max_size=20)
SOURCES = st.one_of(
    st.fixed_dictionaries({"claim": st.fixed_dictionaries({"name": OBJECT_NAMES}), "keys": KEYS}),
    st.fixed_dictionaries({"files": st.fixed_dictionaries({"uri": uris(names.FolderUri, "claim://", "hdfs://")})}),
)
EXECUTIONS = st.fixed_dictionaries(
    {"serviceAccountName": OBJECT_NAMES, "driverMemory": MEMORY, "memory": MEMORY},
    optional={"image": IMAGES, "nodePool": POOLS},
)


def problems(resource: FeatureExtraction) -> list[str]:
    """What Kubernetes would refuse."""
    driver = manifests.driver_pod(resource, 100_000, "localhost/featx/job:dev")
    executor, config_map = manifests.executor_template(resource, 100_000), manifests.config_map(resource, 100_000)
    read_back = yaml.safe_load(config_map["data"]["executor-pod.yaml"])
    sizes = [len(json.dumps(pod)) for pod in (driver, executor)]
    return [
        *pod_problems(driver),
        *pod_problems(executor),
        *config_map_problems(config_map),
        *([] if read_back == executor else ["the template is not what the driver reads"]),
        *(f"{size} bytes in a pod" for size in sizes if size > POD_LIMIT),
    ]


@settings(deadline=None, max_examples=300)
@given(
    name=accepted(names.ObjectName, st.text(alphabet="ab0-.", min_size=1, max_size=48), "n" * 48),
    source=SOURCES,
    output=TABLES,
    detector=MODELS,
    extractor=MODELS,
    execution=EXECUTIONS,
    priority=OBJECT_NAMES | st.none(),
)
def test_what_the_models_accept_kubernetes_accepts(
    name: str,
    source: dict[str, Any],
    output: str,
    detector: dict[str, Any],
    extractor: dict[str, Any],
    execution: dict[str, Any],
    priority: str | None,
) -> None:
    body = copy.deepcopy(good())
    body["metadata"] |= {"name": name, "uid": "0c4d56c9-4a65-4b5f-8a2f-3a4ad2f0f5b1"}
    body["spec"] |= {
        "source": source,
        "output": {"uri": output},
        "detector": {"model": detector},
        "extractor": {"model": extractor, "layer": "pool"},
        "execution": execution,
        "priorityClassName": priority,
    }
    assert problems(FeatureExtraction.model_validate(body)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("photos", ".."),
        ("photos", "Photos"),
        ("photos", "p" * 254),
        ("/mnt/featx/claims/photos", "/mnt/featx/claims/../photos"),
        ("/mnt/featx/claims/photos", "/mnt/featx/claims/a:b"),
        ("featx-job", "Admin"),
        ("localhost/featx/job:dev", " localhost/featx/job:dev"),
        ("1536Mi", "9" * 20 + "Gi"),
        ("xeon", "x" * 64),
        ("night", "Night"),
        ("catalog", "c" * 64),
    ],
)
def test_the_rules_refuse_what_kubernetes_refuses(old: str, new: str) -> None:
    body = copy.deepcopy(good())
    body["metadata"] |= {"name": "catalog", "uid": "u-1"}
    body["spec"] |= {"source": {"claim": {"name": "photos"}}, "priorityClassName": "night"}
    body["spec"]["execution"]["nodePool"] = "xeon"
    pod = manifests.driver_pod(FeatureExtraction.model_validate(body), 1, "localhost/featx/job:dev")
    assert list(pod_problems(pod)) == []
    assert list(pod_problems(json.loads(json.dumps(pod).replace(old, new)))) != []


@pytest.mark.parametrize("key", ["\\" * 1024, '"' * 1024, "k" * 1024, "\u00e9" * 512, "\U0001f600" * 256, "\\" * 78])
def test_the_largest_spec_fits_into_a_config_map(key: str) -> None:
    body = copy.deepcopy(good())
    body["metadata"] |= {"name": "n" * 48, "uid": "0c4d56c9-4a65-4b5f-8a2f-3a4ad2f0f5b1"}
    count = min(KEYS_LIMIT // len(key.encode()), 5000)
    wide, path = "\U0001f600" * 1000, "claim://" + ".".join(["a" * 63] * 3) + "/"
    longest = {"onnx": path + wide[:800], "sha256": SHA256, "s3": {"secretRef": {"name": "a" * 253}}}
    settings_ = {f"spark.hadoop.dfs.ha.namenodes.{number:063}": ",".join(["a" * 24] * 10) for number in range(64)}
    body["spec"] |= {
        "source": {
            "keys": [key] * count,
            "hbase": {
                "quorum": ",".join(["a" * 100] * 10),
                "table": "t" * 256,
                "column": "f:" + wide[:500],
                "prefix": wide,
                "startRow": wide,
                "stopRow": wide,
                "salts": ['"' * 32] * 1024,
            },
        },
        "output": {"uri": path + wide[:800], "s3": {"secretRef": {"name": "b" * 253}}},
        "detector": {"model": longest},
        "extractor": {"model": longest, "layer": wide[:128]},
        "execution": {"sparkConf": settings_},
    }
    assert problems(FeatureExtraction.model_validate(body)) == []


@pytest.mark.parametrize(("kind", "text"), [(Salt, "\u00e9"), (Salt, "a\n"), (Row, "a\n"), (Row, "a\x00")])
def test_row_keys_are_written_as_the_hbase_shell_does(kind: Any, text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)
