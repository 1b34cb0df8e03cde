"""Generates the CustomResourceDefinition from the pydantic models.

Kubernetes does not accept JSON Schema as pydantic writes it: a structural schema has no references, no `anyOf` for
optional fields and no titles. The walk below makes up the whole difference; everything else (limits, enums, CEL, list
types) is on the models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import yaml

from featx_api import GROUP, KIND, PLURAL, SHORT_NAME, VERSION
from featx_api.model import MISSING, ApiModel, Rule
from featx_api.resource import FeatureExtraction
from featx_api.schedule import SCHEDULE_KIND, SCHEDULE_PLURAL, FeatureExtractionSchedule
from featx_api.states import RunState
from featx_api.vision_model import (
    CLUSTER_KIND,
    CLUSTER_PLURAL,
    VISION_MODEL_KIND,
    VISION_MODEL_PLURAL,
    ClusterVisionModel,
    VisionModel,
)

Schema = dict[str, Any]

_DROPPED = {
    MISSING,
    "title",
    "$defs",
    "readOnly",
    "const",
    "additionalProperties",
    "exclusiveMinimum",
    "exclusiveMaximum",
}

PRINTER_COLUMNS = [
    ("Status", "string", ".status.state", 0),
    ("Progress", "string", ".status.progress.summary", 0),
    ("Executors", "string", ".status.executors.summary", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Attempt", "integer", ".status.attempt", 1),
    ("Driver", "string", ".status.driver.podName", 1),
    ("Output", "string", ".spec.output.uri", 1),
    ("Message", "string", '.status.conditions[?(@.type=="Succeeded")].message', 1),
]

SCHEDULE_COLUMNS = [
    ("Schedule", "string", ".spec.schedule", 0),
    ("Time Zone", "string", ".spec.timeZone", 0),
    ("Suspend", "boolean", ".spec.suspend", 0),
    ("Active", "integer", ".status.activeRuns", 0),
    ("Last", "date", ".status.lastScheduleTime", 0),
    ("Next", "string", ".status.nextScheduleTime", 0),  # as a date, kubectl prints <invalid> for what is yet to come
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].reason', 1),
    ("Last Success", "date", ".status.lastSuccessfulTime", 1),
]

MODEL_COLUMNS = [
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 0),
    ("Parameters", "integer", ".status.graph.parameters", 0),
    ("GFLOP", "number", ".status.graph.gflopPerImage", 0),
    ("Licence", "string", ".spec.licence", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Layers", "integer", ".status.graph.layers", 1),
    ("SHA256", "string", ".spec.model.sha256", 1),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
]

#: The status of a run that no operator has seen. Without it, kstatus (Flux, Argo CD, `kubectl` plugins) would take
#: such a resource for done. Gateway API and Flux default theirs in the same way.
UNSEEN = {
    "observedGeneration": -1,
    "state": RunState.WAITING_FOR_OPERATOR.value,
    "conditions": [
        {
            "type": "Reconciling",
            "status": "True",
            "reason": RunState.WAITING_FOR_OPERATOR.value,
            "message": "no operator has seen this resource yet: does one serve its namespace?",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }
    ],
}


class Kind(NamedTuple):
    """What a CRD says besides its schema."""

    model: type[ApiModel]
    name: str
    plural: str
    short_name: str
    columns: list[tuple[str, str, str, int]]
    unseen: Mapping[str, Any]
    scope: Literal["Namespaced", "Cluster"] = "Namespaced"


RUN = Kind(FeatureExtraction, KIND, PLURAL, SHORT_NAME, PRINTER_COLUMNS, UNSEEN)
SCHEDULE = Kind(
    FeatureExtractionSchedule, SCHEDULE_KIND, SCHEDULE_PLURAL, "fxs", SCHEDULE_COLUMNS, {"observedGeneration": -1}
)

MODEL = Kind(VisionModel, VISION_MODEL_KIND, VISION_MODEL_PLURAL, "fxm", MODEL_COLUMNS, {"observedGeneration": -1})
CLUSTER_MODEL = Kind(
    ClusterVisionModel, CLUSTER_KIND, CLUSTER_PLURAL, "cfxm", MODEL_COLUMNS, {"observedGeneration": -1}, "Cluster"
)


def structural(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """A schema without references, unions with null, or keywords that Kubernetes does not accept.

    Args:
        schema: A JSON Schema node as pydantic writes it.
        definitions: The `$defs` that its references point to.
    """
    node = dict(schema)
    if "$ref" in node:
        node = {**definitions[node.pop("$ref").rsplit("/", 1)[1]], **node}
    if "anyOf" in node:
        (real,) = [option for option in node.pop("anyOf") if option.get("type") != "null"]
        return structural({**real, **node}, definitions)
    result = {key: value for key, value in node.items() if key not in _DROPPED}
    if "const" in node:
        result["enum"] = [node["const"]]
    for bound, flag in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in node:
            result |= {flag: node[bound], bound: True}
    if "properties" in node and result.get("default") is not None:
        result["default"] = {}  # the API server then fills in the defaults of its fields
    elif result.get("default", 0) in (None, [], {}, ""):
        del result["default"]
    if isinstance(node.get("additionalProperties"), dict):
        result["additionalProperties"] = structural(node["additionalProperties"], definitions)
    if "items" in node:
        result["items"] = structural(node["items"], definitions)
    if "properties" in node:
        result["properties"] = {name: structural(part, definitions) for name, part in node["properties"].items()}
        computed = {name for name, part in node["properties"].items() if part.get("readOnly")}
        # The API server only says "Required value": a rule can say how to get it.
        explained = {name: part[MISSING] for name, part in node["properties"].items() if MISSING in part}
        absent = [Rule(f"has(self.{name})", message).to_json_schema() for name, message in explained.items()]
        if absent:
            result["x-kubernetes-validations"] = [*result.get("x-kubernetes-validations", []), *absent]
        result["required"] = [name for name in node.get("required", []) if name not in computed | explained.keys()]
        if not result["required"]:
            del result["required"]
    if "description" in result:
        result["description"] = " ".join(result["description"].split("Attributes:")[0].split())
    return result


def resource_schema(kind: Kind = RUN) -> Schema:
    """The structural schema of the whole resource."""
    schema = kind.model.model_json_schema(by_alias=True, mode="serialization")
    result = structural(schema, schema["$defs"])
    result["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    result["properties"]["status"]["default"] = dict(kind.unseen)
    result["required"] = ["spec"]
    return result


def definition(kind: Kind = RUN) -> dict[str, Any]:
    """The CustomResourceDefinition."""
    columns = [
        {"name": name, "type": type_, "jsonPath": path, **({"priority": priority} if priority else {})}
        for name, type_, path, priority in kind.columns
    ]
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": resource_schema(kind)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
    }
    names = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
        "shortNames": [kind.short_name],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        # Helm keeps it when the chart is uninstalled: with the CRD would go every resource, and with those their pods.
        "metadata": {"name": f"{kind.plural}.{GROUP}", "annotations": {"helm.sh/resource-policy": "keep"}},
        "spec": {"group": GROUP, "scope": kind.scope, "names": names, "versions": [version]},
    }


def render(kind: Kind = RUN) -> str:
    """The CRD as YAML, always the same bytes."""
    header = "# Generated by `make generate` from crds/featx_api. Do not edit.\n"
    copied = json.loads(
        json.dumps(definition(kind))
    )  # shared parts would become YAML aliases, which not every tool reads
    return header + yaml.safe_dump(copied, sort_keys=False, width=120, allow_unicode=True)
