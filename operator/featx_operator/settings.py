"""The operator's settings, read from FEATX_* environment variables; the chart sets them from its values."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

from featx_api import problems
from pydantic import ValidationError

from featx_operator.allowed import Tenants

EVERY_NAMESPACE = "*"


class Priorities(dict[str, int]):
    """Values of priority classes by their names."""

    @classmethod
    def from_text(cls, text: str) -> Priorities:
        """Parses NAME=VALUE with commas in between.

        Raises:
            ValueError: It has another form.
        """
        pairs = (pair.partition("=") for pair in _names(text))
        return cls({name.strip(): int(value) for name, _, value in pairs})


@dataclass(frozen=True)
class Settings:
    """All settings. The variable of `backoff_seconds` is FEATX_BACKOFF_SECONDS, and so on."""

    #: Namespaces to serve, separated by commas. Each needs the chart's Role. `*` serves all, by a ClusterRole.
    namespaces: tuple[str, ...] = ("default",)

    #: Image of drivers and executors, unless spec.execution.image is set.
    job_image: str = "localhost/featx/job:dev"

    #: Names of the Secrets that pull the images of drivers and executors, separated by commas.
    image_pull_secrets: tuple[str, ...] = ()

    #: What runs may choose: accounts, images, priorities, node pools, Secrets, stores; and the pods that check models.
    #: JSON, which the chart renders from its values `allowed`, `modelChecks`, `tenants` and `nodePools`.
    allowed: Tenants = field(default_factory=Tenants)

    #: Whether runs with the label kueue.x-k8s.io/queue-name wait for Kueue. Needs Kueue's CRDs, and the rights that the
    #: chart's value `kueue.enabled` grants.
    kueue: bool = False

    #: Served namespace in which ClusterVisionModels are checked. Empty to ignore them, which takes no rights outside of
    #: the served namespaces.
    cluster_models: str = ""

    #: Time limit of the pod that checks a model, in seconds.
    model_seconds: int = 600

    #: Seconds before the second attempt, doubled for each further one. Lowering it is safe, but attempts then reach a
    #: store that is down more often.
    backoff_seconds: float = 10.0

    #: Longest wait between attempts, in seconds.
    backoff_cap_seconds: float = 360.0

    #: Minimum time between two writes of a run's progress, in seconds. Each write is a request to the API server and
    #: a watch event to every watcher.
    progress_seconds: float = 10.0

    #: How long an attempt must have worked, in seconds, to start the counts of failures and disruptions over. It must
    #: also have made progress.
    healthy_seconds: float = 1800.0

    #: Disruptions in a row that don't count towards `backoffLimit`; further ones do.
    disruption_limit: int = 20

    #: How long a driver pod that has a node may wait for its volumes before the attempt fails, in seconds; and how long
    #: a PersistentVolumeClaim may be missing before the run fails.
    start_deadline_seconds: float = 900.0

    #: How long a driver pod may wait for a node that fits before the run fails, in seconds.
    unschedulable_seconds: float = 86400.0

    #: How long a driver pod may wait for its image before the run fails, in seconds.
    image_seconds: float = 3600.0
    #: How long a running driver that has work may have no executor before the attempt ends and gives its quota back, in
    #: seconds. Autoscalers need some minutes for a node.
    executor_start_deadline_seconds: float = 900.0

    #: Values of priority classes, as NAME=VALUE with commas between them: among the runs that wait for quota, those of
    #: a higher value go first. A class that is not listed has 0.
    priorities: Priorities = field(default_factory=Priorities)

    #: How long a Secret may be missing before the run fails, in seconds: it may be applied together with the run.
    secret_grace_seconds: float = 30.0

    #: How often an unfinished run is compared with the API server, in seconds: at most this long until a deletion that
    #: a watch lost is noticed. Costs two requests per run each time.
    resync_seconds: float = 300.0

    #: Number of concurrent reconciles, which mostly wait for the API server. One namespace never has all of them,
    #: unless there is only one.
    workers: int = 32

    #: Timeout of a request to the API server, in seconds.
    request_seconds: float = 10.0

    #: Namespace of the Lease that elects the active replica. The chart sets the operator's own.
    lease_namespace: str = "default"

    #: Name of that Lease.
    lease_name: str = "featx-operator"

    #: How long the Lease of a replica that vanished remains valid, in seconds. Renewed every third of it. Another
    #: replica takes over at most two seconds later.
    lease_seconds: float = 12.0

    #: Name of this replica in the Lease and in Events. The chart sets the pod's name.
    identity: str = socket.gethostname()

    #: Port of the liveness endpoint, on loopback: whoever reached it could hold as many connections as the operator has
    #: memory for. 0 disables it.
    probe_port: int = 8080

    #: Port of `/metrics`, on all addresses, for a bounded number of connections. 0 disables it.
    metrics_port: int = 9464

    #: `json` or `text`.
    log_format: str = "json"

    @property
    def cluster_wide(self) -> bool:
        """Whether all namespaces are served."""
        return self.namespaces == (EVERY_NAMESPACE,)


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings.

    Raises:
        ValueError: A variable does not have the form that it needs; the message names it.
    """
    types = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        name = f"FEATX_{setting.name.upper()}"
        if text := environment.get(name, ""):
            values[setting.name] = _parsed(name, text, types[setting.name])
    settings = Settings(**values)
    if EVERY_NAMESPACE in settings.namespaces and not settings.cluster_wide:
        raise ValueError(
            f"FEATX_NAMESPACES={','.join(settings.namespaces)}: * stands for all namespaces: list no other"
        )
    return settings


def allowed_secrets(settings: Settings, namespace: str) -> frozenset[str]:
    """Names of the Secrets that runs of a namespace may use without the label `featx.dev/store: "true"`."""
    return frozenset(settings.allowed.allowed_in(namespace).secrets)


def _parsed(name: str, text: str, kind: type) -> Any:
    try:
        if kind is Tenants:
            return Tenants.from_json(text)
        if kind is Priorities:
            return Priorities.from_text(text)
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text) if kind in (str, int, float) else _names(text)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{name}: {path or 'the text'}: {problems.describe(Tenants, first)}") from None
    except KeyError:
        raise ValueError(f"{name}={text!r}: must be true or false") from None
    except ValueError:
        forms = {float: "a number", Priorities: "NAME=VALUE, several with commas, each value a whole number"}
        raise ValueError(f"{name}={text!r}: must be {forms.get(kind, 'a whole number')}") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
