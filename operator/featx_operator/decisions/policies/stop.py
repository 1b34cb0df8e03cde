"""Stops pods. Executors of an ended driver are deleted one by one: their owner, the driver, is kept for its log."""

from __future__ import annotations

from collections.abc import Iterable

from featx_operator.decisions.run import Action, DeletePod
from featx_operator.state.observed import Pod


def stop(pods: Iterable[Pod]) -> tuple[Action, ...]:
    """The actions that stop pods; those that have ended or are being deleted need none."""
    return tuple(DeletePod(pod.name, pod.uid) for pod in pods if not pod.ended and not pod.deleting)
