"""Kubernetes' own rules for names and sizes in pods and ConfigMaps, as its validation states them.

Written from k8s.io/apimachinery/pkg/util/validation and k8s.io/kubernetes/pkg/apis/core/validation, not from Featx's
patterns, so that the two can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

CONFIG_MAP_LIMIT = 1024 * 1024  # bytes of all values together
POD_LIMIT = 1024 * 1024  # etcd takes 1.5 MiB, of which the API server's own fields need some
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUANTITY = re.compile(r"[0-9]+(m|Ki|Mi|Gi|Ti)?")
_BYTES = {"": 1, "m": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def is_object_name(name: str) -> bool:
    """Whether most objects can have this name (IsDNS1123Subdomain)."""
    return len(name) <= 253 and bool(_SUBDOMAIN.fullmatch(name))


def is_label_value(value: str) -> bool:
    """Whether a label can have this value (IsValidLabelValue)."""
    return len(value) <= 63 and bool(_VALUE.fullmatch(value))


def pod_problems(pod: dict[str, Any]) -> Iterator[str]:
    """What the API server or the kubelet would refuse in a pod or a pod template."""
    spec, metadata = pod["spec"], pod["metadata"]
    if "name" in metadata and not (is_object_name(metadata["name"]) and len(metadata["name"]) <= 63):
        yield f"pod name {metadata['name']!r}, which is the host name"
    for key, value in {**metadata["labels"], **spec.get("nodeSelector", {})}.items():
        if not is_label_value(value):
            yield f"label {key}: {value!r}"
    for field in ("serviceAccountName", "priorityClassName"):
        if field in spec and not is_object_name(spec[field]):
            yield f"{field}: {spec[field]!r}"
    yield from _volume_problems(spec["volumes"])
    for container in spec["containers"]:
        yield from _container_problems(container, {volume["name"] for volume in spec["volumes"]})


def config_map_problems(config_map: dict[str, Any]) -> Iterator[str]:
    """What the API server would refuse in a ConfigMap."""
    if not is_object_name(config_map["metadata"]["name"]):
        yield f"ConfigMap name {config_map['metadata']['name']!r}"
    size = sum(len(value.encode()) for value in config_map["data"].values())
    if size > CONFIG_MAP_LIMIT:
        yield f"{size} bytes in a ConfigMap"


def _volume_problems(volumes: list[dict[str, Any]]) -> Iterator[str]:
    names = [volume["name"] for volume in volumes]
    if len(set(names)) < len(names) or not all(len(name) <= 63 and _LABEL.fullmatch(name) for name in names):
        yield f"volume names {names}"
    for volume in volumes:
        for kind, field in (("secret", "secretName"), ("persistentVolumeClaim", "claimName"), ("configMap", "name")):
            if kind in volume and not is_object_name(volume[kind][field]):
                yield f"{kind} {volume[kind][field]!r}"


def _container_problems(container: dict[str, Any], volumes: set[str]) -> Iterator[str]:
    paths = [mount["mountPath"] for mount in container["volumeMounts"]]
    if len(set(paths)) < len(paths):
        yield f"mounts {paths}"
    for path in paths:
        parts = path.split("/")
        if ":" in path or parts[0] or {".", ".."} & set(parts) or max(map(len, parts)) > 255:
            yield f"mount {path!r}"
    if missing := {mount["name"] for mount in container["volumeMounts"]} - volumes:
        yield f"mounts of no volume: {missing}"
    image = container.get("image", "a")
    if not image or image != image.strip() or re.search(r"[\s\x00-\x1f]", image):
        yield f"image {image!r}"
    for quantities in container.get("resources", {}).values():
        for name, text in quantities.items():
            if not _QUANTITY.fullmatch(text) or _bytes(text) >= 2**63:
                yield f"{name}: {text!r}"


def _bytes(text: str) -> int:
    number = re.match(r"[0-9]+", text)
    assert number
    return int(number[0]) * _BYTES[text[number.end() :]]
