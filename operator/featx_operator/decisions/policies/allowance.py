"""A spec that chooses what its namespace may not: refused before an attempt's children exist.

A running attempt is left alone, whatever the chart's values say by now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from featx_api.contract import CLAIMS_FOLDER
from featx_api.s3 import StoreAccess
from featx_api.spec import FeatureExtractionSpec

from featx_operator.allowed import Allowed
from featx_operator.decisions import reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.run import Plan, Run
from featx_operator.node_pools import NodePool

_CORES = tuple(f"spark.kubernetes.executor.{name}.cores" for name in ("request", "limit"))


def refused(run: Run) -> Plan | None:
    """Reports what is not allowed, until the spec or the operator's settings change."""
    spec, namespace = run.resource.spec, run.resource.metadata["namespace"]
    allowed = run.settings.allowed.allowed_in(namespace)
    pool = run.settings.allowed.pool(spec.execution.node_pool)
    problems = chain(
        _problems(spec, allowed, namespace, run.settings.job_image),
        _pool_problems(spec, pool) if pool else (),
        foreign_stores(_stores(spec), allowed, namespace),
    )
    message = next(problems, None)
    if message is None:
        return None
    return run.refuse("Accepted", Finding("False", reasons.NOT_ALLOWED, message))


def _problems(spec: FeatureExtractionSpec, allowed: Allowed, namespace: str, job_image: str) -> Iterator[str]:
    execution = spec.execution
    choices: list[tuple[str, str | None, Sequence[str]]] = [
        ("spec.execution.serviceAccountName", execution.service_account_name, allowed.service_accounts),
        ("spec.execution.nodePool", execution.node_pool, allowed.node_pools),
        ("spec.priorityClassName", spec.priority_class_name, allowed.priority_classes),
    ]
    if execution.image and not allowed.includes_image(execution.image):
        choices.append(("spec.execution.image", execution.image, (job_image, *allowed.images)))
    for field, value, values in choices:
        if value is not None and value not in values:
            listed = f"use one of {', '.join(values)}, or " if values else "remove it, or "
            yield (
                f"{field}: {value} is not allowed in namespace {namespace}: {listed}ask the platform team to add it to "
                "the chart's values"
            )
    yield from pod_identities(spec.stores(), allowed, namespace)
    yield from local_addresses(spec.addresses(), spec.claim_names())


def pod_identities(stores: Mapping[str, StoreAccess], allowed: Allowed, namespace: str) -> Iterator[str]:
    """Yields a message per store, by its field, that is reached with an identity which the namespace may not use."""
    for field, store in stores.items():
        if store.pod_identity and not allowed.pod_identity:
            yield (
                f"{field}.podIdentity: true is not allowed in namespace {namespace}: use a secretRef, or ask the "
                "platform team to add it to the chart's values"
            )


def _pool_problems(spec: FeatureExtractionSpec, pool: NodePool) -> Iterator[str]:
    """What the run's node pool can't give."""
    execution = spec.execution
    if pool.cores_per_socket and execution.cores > pool.cores_per_socket:
        yield (
            f"spec.execution.cores: {execution.cores} is more than a socket of node pool {execution.node_pool} has "
            f"({pool.cores_per_socket}): lower it, and raise the number of executors"
        )
    for key in _CORES if pool.exclusive_cores else ():
        if key in execution.spark_conf:
            yield (
                f"spec.execution.sparkConf.{key}: node pool {execution.node_pool} has exclusive cores, whose number is "
                "spec.execution.cores: remove the setting"
            )


def foreign_stores(addresses: Iterable[tuple[str, str]], allowed: Allowed, namespace: str) -> Iterator[str]:
    """Yields a message per address, with its field, that the namespace may not use."""
    for field, address in addresses:
        if not allowed.includes_store(address):
            yield (
                f"{field}: {address} is not one of the stores of namespace {namespace} "
                f"({', '.join(allowed.stores) or 'none'}): use one of these, or ask the platform team to add it to the "
                "chart's values"
            )


def _stores(spec: FeatureExtractionSpec) -> Iterator[tuple[str, str]]:
    """Yields every store of a run as an address, with its field."""
    source = spec.source
    if source.s3:
        yield "spec.source.s3.bucket", f"s3://{source.s3.bucket}/{source.s3.prefix}"
    if source.claim:
        yield "spec.source.claim.name", f"claim://{source.claim.name}/{source.claim.path}"
    if source.hbase and source.hbase.quorum:
        yield "spec.source.hbase.quorum", f"hbase://{source.hbase.quorum}/{source.hbase.table}"
    yield from spec.addresses().items()
    yield from endpoints(spec.stores())
    for key, value in spec.execution.spark_conf.items():
        if key.startswith("spark.hadoop.dfs.namenode.rpc-address."):
            yield f"spec.execution.sparkConf.{key}", f"hdfs://{value}/"


def endpoints(stores: Mapping[str, StoreAccess]) -> Iterator[tuple[str, str]]:
    """Yields the endpoint of each store, with its field, in the form of `allowed.stores`."""
    for field, store in stores.items():
        if store.endpoint:
            # With a slash, so that no host's name is the start of another's.
            yield f"{field}.endpoint", f"{store.endpoint.rstrip('/')}/"


def local_addresses(addresses: Mapping[str, str], claims: Iterable[str]) -> Iterator[str]:
    """Addresses that make sense for `featx run` only: in a pod, they name its own files, or fetch packages into it."""
    folders = tuple(f"file://{CLAIMS_FOLDER}/{claim}/" for claim in claims)
    for field, uri in addresses.items():
        if uri.startswith("file://") and not uri.startswith(folders):
            instead = "an hdfs:// address" if ".hbase." in field else "claim://CLAIM/path, a folder of a volume"
            yield f"{field}: {uri} is a file of the pod, and for `featx run` only: use {instead}"
        if uri.startswith("package:"):
            yield f"{field}: {uri} is for `featx run` only: use claim://CLAIM/path or a bucket"
