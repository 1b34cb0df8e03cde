"""Stops pods, and deletes what only ended ones have mounted.

Executors of an ended driver are deleted one by one: their owner, the driver, is kept for its log.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from featx_operator.decisions.run import Action, DeleteFiles, DeletePod
from featx_operator.state.observed import Observed, Pod


def stop(pods: Iterable[Pod]) -> tuple[Action, ...]:
    """The actions that stop pods; those that have ended or are being deleted need none."""
    return tuple(DeletePod(pod.name, pod.uid) for pod in pods if not pod.ended and not pod.deleting)


def delete_files(observed: Observed, attempts: Container[int]) -> tuple[Action, ...]:
    """The actions that delete ConfigMaps and Secrets of attempts; those of an attempt with a living pod stay."""
    unused = observed.files - {pod.attempt for pod in observed.alive()}
    return tuple(DeleteFiles(attempt) for attempt in sorted(unused) if attempt in attempts)
