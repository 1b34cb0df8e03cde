"""What the runs of a namespace may choose, and where its models are checked: the platform team decides, by the chart.

A run names its service account, image, priority and nodes, so whoever may create a `FeatureExtraction` would have all
that the namespace has. By default a run gets the account `featx-job` and the operator's job image, and nothing else.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from featx_api.model import ApiModel
from featx_api.names import UrlHost
from pydantic import Field

from featx_operator.node_pools import LabelText, NodePool, labelled

Values = TypeVar("Values", bound=ApiModel)

#: An image or an address, or the beginning of one with `*` at its end.
Pattern = Annotated[str, Field(pattern=r"^[^*\s]*(\*|[^*\s])$")]
#: As the chart's schema has it.
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")]


class Allowed(ApiModel):
    """What the runs of a namespace may choose.

    Attributes:
        service_accounts: Values of `spec.execution.serviceAccountName`.
        images: Values of `spec.execution.image`, besides the operator's job image.
        priority_classes: Values of `spec.priorityClassName`.
        workload_priority_classes: Values of the label `kueue.x-k8s.io/priority-class`.
        node_pools: Values of `spec.execution.nodePool`.
        pod_identity: Whether runs may authenticate with their pods' cloud identity.
        secrets: Names of Secrets that runs may use without the label `featx.dev/store: "true"`.
        url_hosts: Hosts that runs may fetch images from (`spec.source.packed.urlColumn`).
        stores: Addresses that runs may read from and write to.
    """

    service_accounts: tuple[str, ...] = ("featx-job",)
    images: tuple[Pattern, ...] = ()
    priority_classes: tuple[str, ...] = ()
    workload_priority_classes: tuple[str, ...] = ()
    node_pools: tuple[str, ...] = ()
    pod_identity: bool = False
    secrets: tuple[str, ...] = ()
    url_hosts: tuple[UrlHost, ...] = ()
    stores: tuple[Pattern, ...] = ("*",)

    def includes_image(self, image: str) -> bool:
        """Whether an image is listed, by its name or by the beginning of it."""
        return _matches(image, self.images)

    def includes_store(self, address: str) -> bool:
        """Whether an address is listed, as a whole or by the beginning of it."""
        return _matches(address, self.stores)


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return any(text.startswith(name[:-1]) if name.endswith("*") else text == name for name in patterns)


class ModelChecks(ApiModel):
    """The pods that check the models of a namespace. Each has one container.

    Attributes:
        node_pool: Where they go: as the drivers of runs in this pool do. Empty for any node.
        priority_class_name: Their priority class, or empty for the cluster's default.
        cpu: CPU request.
        cpu_limit: CPU limit.
        memory: Memory request and limit, at least twice the size of the largest model file.
    """

    node_pool: LabelText = ""
    priority_class_name: str = ""
    cpu: Quantity = "100m"
    cpu_limit: Quantity = "1"
    memory: Quantity = "1536Mi"


class Tenant(ApiModel):
    """One namespace. Fields that are set replace those for every namespace.

    Attributes:
        allowed: What its runs may choose.
        model_checks: The pods that check its models.
        default_queue: Whether its runs without a queue name wait in the LocalQueue `default`.
    """

    allowed: Allowed = Allowed()
    model_checks: ModelChecks = ModelChecks()
    default_queue: bool = False


class Tenants(ApiModel):
    """All served namespaces.

    Attributes:
        allowed: What every namespace may choose.
        model_checks: The pods that check models.
        tenants: The namespaces that differ, by name.
        node_pools: The node pools that the platform team describes, by name.
    """

    allowed: Allowed = Allowed()
    model_checks: ModelChecks = ModelChecks()
    tenants: dict[str, Tenant] = Field(default={})
    node_pools: dict[str, NodePool] = Field(default={})

    def allowed_in(self, namespace: str) -> Allowed:
        """What the runs of a namespace may choose."""
        return _replaced(self.allowed, self.tenants.get(namespace, Tenant()).allowed)

    def model_checks_in(self, namespace: str) -> ModelChecks:
        """The pods that check the models of a namespace."""
        return _replaced(self.model_checks, self.tenants.get(namespace, Tenant()).model_checks)

    def queues_by_default(self, namespace: str) -> bool:
        """Whether runs of a namespace without a queue name wait in its LocalQueue `default`."""
        return self.tenants.get(namespace, Tenant()).default_queue

    def pool(self, name: str | None) -> NodePool | None:
        """The node pool of a name; None for None."""
        return None if name is None else self.node_pools.get(name) or labelled(name)


def _replaced(values: Values, own: Values) -> Values:
    """Values with the fields that others set."""
    return values.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})
