"""What the pods of a run ask for, as the API server counts it: after the defaults of LimitRanges, before any exists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Final

from featx_api.contract import DRIVER, EXECUTOR
from featx_api.resource import FeatureExtraction

from featx_operator.manifests import driver_resources, execution_of, executor_percent
from featx_operator.node_pools import NodePool
from featx_operator.pod_sets import executor_cpu
from featx_operator.state.quantities import Amounts, amounts, quantity, shown, words
from featx_operator.state.quotas import Gang, Limits, PodShape, combined

#: What an executor may need that the run does not size (docs/architecture.md, "Memory"): the largest pair, measured.
ESTIMATES: Final = {"int8": "4480Mi", "openvino": "3968Mi", "bigdl": "2816Mi"}
#: The smallest one: heap, JVM and decoded pixels without any weights (featx_job.spark.memory).
LEAST: Final = "1280Mi"


def gang_of(resource: FeatureExtraction, pool: NodePool | None = None) -> Gang:
    """What a run asks for, before the defaults of LimitRanges; with the memory that its status says is raised.

    Args:
        resource: The run.
        pool: The node pool that it has chosen, as the chart's values describe it.
    """
    spec, execution = resource.spec, execution_of(resource)
    raised = Decimal(executor_percent(resource) or 100) / 100
    driver = driver_resources(execution)
    cpu, limit = executor_cpu(execution, pool)
    limits = {"cpu": quantity(limit)} if limit else {}
    priority_class = spec.priority_class_name or ""

    def executor(memory: str) -> PodShape:
        # Spark adds heap and overhead, which the job chooses so that their sum is this.
        size = quantity(memory) * raised
        return PodShape({"cpu": quantity(cpu), "memory": size}, {**limits, "memory": size}, priority_class)

    estimate = ESTIMATES["int8" if spec.precision == "int8" else spec.engine]
    return Gang(
        PodShape(amounts(driver["requests"]), amounts(driver["limits"]), priority_class),
        executor(execution.memory or estimate),
        executor(execution.memory or LEAST),
        execution.wanted,
    )


def with_defaults(shape: PodShape, limits: Iterable[Limits]) -> PodShape:
    """What becomes of a pod's requests and limits when it is created.

    Args:
        shape: As Featx or Spark writes it.
        limits: All items of the namespace's LimitRanges.
    """
    # A limit without a request is also the request: the API server sets that before LimitRanges are applied.
    requests, bounds = {**shape.limits, **shape.requests}, dict(shape.limits)
    for item in limits:
        if item.kind == "Container":
            requests = {**item.default_request, **requests}
            bounds = {**item.default, **bounds}
    return replace(shape, requests=requests, limits=bounds)


def all_with_defaults(gang: Gang, limits: Iterable[Limits]) -> Gang:
    """A gang whose pods have the defaults of LimitRanges."""
    items = tuple(limits)
    driver, executor = with_defaults(gang.driver, items), with_defaults(gang.executor, items)
    return replace(gang, driver=driver, executor=executor, least_executor=with_defaults(gang.least_executor, items))


def refusals(gang: Gang, limits: Iterable[Limits]) -> Iterator[str]:
    """Yields why the API server would refuse the pods of a gang, whatever its quota.

    Args:
        gang: With defaults.
        limits: All items of the namespace's LimitRanges.
    """
    for role, shape in ((DRIVER, gang.driver), (EXECUTOR, gang.least_executor)):
        cpu = shape.limits.get("cpu")
        if cpu is not None and shape.requests["cpu"] > cpu:
            # Only a LimitRange's default can be lower: the models refuse it of a run.
            yield (
                f"the {role} requests {shown('cpu', shape.requests['cpu'], up=True)} CPU, more than the default limit "
                f"of a LimitRange, {shown('cpu', cpu)}: set spec.execution.cpuLimits: true"
            )
        for item in limits:
            yield from _broken(role, shape, item)


def _broken(role: str, shape: PodShape, item: Limits) -> Iterator[str]:
    """Yields the bounds of a LimitRange that a pod breaks. It has one container, so both kinds of items are alike."""
    for name, least in item.min.items():
        for what, amount in (("request", shape.requests.get(name)), ("limit", shape.limits.get(name))):
            if amount is not None and amount < least:
                yield _bound(role, what, name, amount, "less than the minimum", least, item)
        if name not in shape.requests:
            yield _absent(role, "request", name, item)
    for name, most in item.max.items():
        for what, amount in (("request", shape.requests.get(name)), ("limit", shape.limits.get(name))):
            if amount is not None and amount > most:
                yield _bound(role, what, name, amount, "more than the maximum", most, item)
        if name not in shape.limits:
            yield _absent(role, "limit", name, item)
    for name, ratio in item.ratio.items():
        request, limit = shape.requests.get(name), shape.limits.get(name)
        if not request or not limit:
            yield _absent(role, "request" if not request else "limit", name, item)
        elif limit > ratio * request:
            yield (
                f"the {role}'s {words(name)} limit is {limit / request:.3g} times its request, more than the ratio of "
                f"LimitRange {item.name}, {ratio:f}{_hint(role, name)}"
            )


def _bound(role: str, what: str, name: str, amount: Decimal, than: str, bound: Decimal, item: Limits) -> str:
    text = f"the {role}'s {words(name)} {what} is {shown(name, amount, up=True)}, {than} of LimitRange {item.name}"
    return f"{text}, {shown(name, bound)}{_hint(role, name)}"


def _absent(role: str, what: str, name: str, item: Limits) -> str:
    hint = ": set spec.execution.cpuLimits: true" if (what, name) == ("limit", "cpu") else ""
    return f"the {role} has no {words(name)} {what}, which LimitRange {item.name} calls for{hint}"


def _hint(role: str, name: str) -> str:
    fields = {
        (DRIVER, "cpu"): "driverCpu",
        (DRIVER, "memory"): "driverMemory",
        (EXECUTOR, "cpu"): "cores",
        (EXECUTOR, "memory"): "memory",
    }
    field = fields.get((role, name))
    return f": change spec.execution.{field}, or ask the platform team" if field else ""


def counted(shape: PodShape) -> dict[str, Decimal]:
    """A pod as ResourceQuotas count it, by the names that they may use."""
    result = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for name, amount in shape.requests.items():
        result |= {name: amount, f"requests.{name}": amount}
    return result | {f"limits.{name}": amount for name, amount in shape.limits.items()}


#: An attempt's ConfigMap and Secret.
FILES: Final[Amounts] = {name: Decimal(1) for name in ("configmaps", "count/configmaps", "secrets", "count/secrets")}


def total(gang: Gang, drivers: int, executors: int, files: int, executor: PodShape | None = None) -> dict[str, Decimal]:
    """So much of a gang, as a quota without scopes counts it.

    Args:
        gang: With defaults.
        drivers: Number of drivers, 0 or 1.
        executors: Number of executors.
        files: Number of ConfigMaps, which is that of Secrets too.
        executor: What each executor asks for, instead of the gang's.
    """
    pods = combined({}, counted(gang.driver), drivers)
    return combined(combined(pods, counted(executor or gang.executor), executors), FILES, files)
