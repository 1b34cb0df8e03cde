"""What can be set from outside, through FEATX_* environment variables; the chart sets them from its values."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_type_hints


@dataclass(frozen=True)
class Settings:
    """Every setting, typed. The variable of `backoff_seconds` is FEATX_BACKOFF_SECONDS, and so on."""

    #: Namespaces that are served, separated by commas. Each needs the chart's Role in it.
    namespaces: tuple[str, ...] = ("default",)

    #: Image of driver and executors where spec.execution.image is absent.
    job_image: str = "localhost/featx/job:dev"

    #: Seconds before the second attempt; doubled for each further one.
    #: Can be lowered safely: attempts then come faster upon a store that is down.
    backoff_seconds: float = 10.0

    #: Longest wait between attempts, in seconds.
    backoff_cap_seconds: float = 360.0

    #: Least time between two writes of a run's progress, in seconds. Lower means more load on the API server: one
    #: write and one watch event to each watcher per run and interval.
    progress_seconds: float = 10.0

    #: How long a driver pod may wait for a node, its image or its volumes, in seconds; then the attempt has failed.
    start_deadline_seconds: float = 900.0

    #: How long a Secret may be missing before the run fails, in seconds: time for one that is applied with the run.
    secret_grace_seconds: float = 30.0

    #: How often a run that is not finished is compared with the API server itself, in seconds. A watch that lost an
    #: event is noticed this late at most; costs three requests a run each time.
    resync_seconds: float = 60.0

    #: Reconciles at the same time. One of them never blocks the others for longer than request_seconds.
    workers: int = 4

    #: Timeout of one request to the API server, in seconds.
    request_seconds: float = 10.0

    #: Where the Lease lies that lets one replica act; the pod's own namespace in the chart.
    lease_namespace: str = "default"

    #: Name of that Lease.
    lease_name: str = "featx-operator"

    #: How long a replica that vanished holds the others off, in seconds. Renewed at a third of it.
    lease_seconds: float = 15.0

    #: Who holds the Lease; the pod's name in the chart.
    identity: str = socket.gethostname()

    #: Port of the liveness endpoint, on all addresses; 0 for none.
    probe_port: int = 8080

    #: `json` or `text`.
    log_format: str = "json"


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings.

    Raises:
        ValueError: if a variable can't be read as what it is; the message names it.
    """
    types = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for field in fields(Settings):
        name = f"FEATX_{field.name.upper()}"
        if not (text := environment.get(name, "")):
            continue
        kind = types[field.name]
        try:
            values[field.name] = kind(text) if kind in (str, int, float) else _names(text)
        except ValueError:
            raise ValueError(f"{name}={text!r}: must be {'a number' if kind is float else 'a whole number'}") from None
    return Settings(**values)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
