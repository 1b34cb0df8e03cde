"""Stopping pods. Executors of a driver that has ended are stopped one by one: what owns them is kept for its log."""

from __future__ import annotations

from collections.abc import Iterable

from featx_operator.decisions.run import Action, DeletePod
from featx_operator.state.observed import Pod


def stopped(pods: Iterable[Pod]) -> tuple[Action, ...]:
    """Returns the actions that stop pods; those that are being deleted already are left alone."""
    return tuple(DeletePod(pod.name, pod.uid) for pod in pods if not pod.ended and not pod.deleting)
