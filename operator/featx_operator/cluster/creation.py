"""Create the children of an attempt, so that creating them twice is harmless.

Names are deterministic, so a second create fails because the name is taken. The object that has it is the run's own, a
child of a deleted run of the same name that is yet to be garbage-collected, or something foreign. Nothing is adopted by
its looks, since whoever may create objects can write them as Featx would: a ConfigMap is used only if it holds exactly
what this attempt would write, a new Secret is created each time, and a pod is never adopted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from featx_api import KIND
from featx_api.contract import STORE_LABEL
from featx_api.resource import FeatureExtraction

from featx_operator import manifests
from featx_operator.cluster import children
from featx_operator.cluster.transport import ApiError, ApiServer
from featx_operator.decisions import reasons
from featx_operator.objects import Body, controller_of
from featx_operator.settings import Settings, allowed_secrets
from featx_operator.state.observed import Refusal
from featx_operator.state.workload import Placements

TRIES = 3  # to create an object whose name is taken by one that is deleted


class RefusedError(Exception):
    """The API server refused to create an object, its name is taken, or the run may not use a Secret."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def create_attempt(
    api: ApiServer,
    resource: FeatureExtraction,
    attempt: int,
    settings: Settings,
    placements: Placements = manifests.NOWHERE,
) -> Body | None:
    """Creates an attempt's ConfigMap, Secret and driver pod.

    Returns:
        The pod, or None if another one has its name.

    Raises:
        RefusedError: One of them can't be created now.
        ApiError: Anything else went wrong; retry.
    """
    check_secrets(api, resource, allowed_secrets(settings, resource.metadata["namespace"]))
    pool, pull = settings.allowed.pool(resource.spec.execution.node_pool), settings.image_pull_secrets
    hosts = url_hosts(settings, resource)
    driver = manifests.driver_pod(resource, attempt, settings.job_image, hosts, pool, pull, placements)
    _create_or_replace(api, manifests.config_map(resource, attempt, pool, pull, placements))
    _create_or_replace(api, manifests.authentication(resource, attempt))
    try:
        return children.create(api, driver)
    except ApiError as error:
        if error.status == 409:
            return None
        raise refused(error) from error


def url_hosts(settings: Settings, resource: FeatureExtraction) -> tuple[str, ...]:
    """The hosts that a run may fetch images from: none unless its source is a table of URLs."""
    packed = resource.spec.source.packed
    if packed is None or packed.url_column is None:
        return ()
    return settings.allowed.allowed_in(resource.metadata["namespace"]).url_hosts


def check_secrets(api: ApiServer, resource: FeatureExtraction, allowed: frozenset[str]) -> None:
    """Checks that the owner of each Secret that the run names lets runs use it.

    Whoever may create runs may not be allowed to read Secrets, but a run sends them to any endpoint that it names. A
    missing one is not waited for by the pod: whatever gets that name later would be mounted without this check.

    Raises:
        RefusedError: One of them is missing or has no label.
        ApiError: A Secret can't be read.
    """
    fields = dict(_secret_fields(resource.spec.to_wire(), "spec"))
    names = {name: fields[name] for name in resource.spec.secret_names()}
    check_secret_names(api, resource.metadata["namespace"], names, allowed)


def check_secret_names(api: ApiServer, namespace: str, fields: Mapping[str, str], allowed: frozenset[str]) -> None:
    """Checks Secrets by their names; see `check_secrets`.

    Args:
        api: The API server.
        namespace: Where the Secrets are.
        fields: The field that names each Secret, by the Secret's name.
        allowed: Names of those that need no label.
    """
    for name, field in fields.items():
        if name in allowed:
            continue
        secret = children.get(api, "Secret", namespace, name)
        if secret is None:
            text = (
                f"not found in namespace {namespace}: create it with the label {STORE_LABEL}=true, or correct the name"
            )
            raise RefusedError(Refusal(reasons.SECRET_NOT_FOUND, f"{field}: Secret {name} {text}"))
        if (secret["metadata"].get("labels") or {}).get(STORE_LABEL) != "true":
            command = f"kubectl label secret {name} {STORE_LABEL}=true --namespace {namespace}"
            text = f"lacks the label {STORE_LABEL}=true, by which its owner lets runs use it: {command}"
            raise RefusedError(Refusal(reasons.SECRET_NOT_ALLOWED, f"{field}: Secret {name} {text}"))


def _secret_fields(part: Mapping[str, object], path: str) -> Iterator[tuple[str, str]]:
    """Yields the names of Secrets in a part of a spec, each with its field."""
    for key, value in part.items():
        if not isinstance(value, Mapping):
            continue
        if key == "secretRef":
            yield str(value["name"]), f"{path}.secretRef.name"
        else:
            yield from _secret_fields(value, f"{path}.{key}")


def _create_or_replace(api: ApiServer, manifest: Body) -> None:
    kind, metadata = manifest["kind"], manifest["metadata"]
    namespace, name, owner = metadata["namespace"], metadata["name"], metadata["ownerReferences"][0]["uid"]
    for _ in range(TRIES):
        try:
            children.create(api, manifest)
            return
        except ApiError as error:
            if error.status != 409:
                raise refused(error) from error
        existing = children.get(api, kind, namespace, name)
        if existing is None:
            continue  # deleted in the meantime
        if refusal := refuse_replacement(kind, existing, owner):
            raise RefusedError(refusal)
        if kind == "ConfigMap" and is_same(existing, manifest):
            return
        children.delete(api, kind, namespace, name, existing["metadata"]["uid"])
    text = "already exists with other content and can't be replaced; delete it or rename the resource"
    raise RefusedError(Refusal(reasons.NAME_TAKEN, f"{kind} {name} {text}"))


def is_same(existing: Body, manifest: Body) -> bool:
    """Whether an existing ConfigMap holds what a manifest says, for good."""
    immutable = existing.get("immutable") is True and not existing["metadata"].get("deletionTimestamp")
    return immutable and existing.get("data") == manifest["data"] and not existing.get("binaryData")


def refused(error: ApiError) -> Exception:
    """The refusal that an API server's error amounts to, or the error itself if it is none."""
    return RefusedError(refusal_of(error)) if error.status in (403, 422) else error


def refusal_of(error: ApiError) -> Refusal:
    """The refusal that an API server's error amounts to."""
    if error.over_quota:
        return Refusal(reasons.QUOTA_EXCEEDED, error.message)
    return Refusal(reasons.DRIVER_REFUSED, error.message)


def refuse_replacement(kind: str, existing: Body, owner: str) -> Refusal | None:
    """Why an existing object can't belong to the resource with this uid, or None if it may be replaced."""
    name = f"{kind} {existing['metadata']['name']}"
    controller = controller_of(existing)
    if controller and controller.uid == owner:
        return None
    if controller and controller.kind == KIND:
        return Refusal(reasons.PREVIOUS_RUN, f"{name} of a deleted run with this name is still being removed")
    return Refusal(
        reasons.NAME_TAKEN,
        f"{name} already exists and is not owned by this resource; delete it or rename the resource",
    )
