"""Bounds of what the cluster says, and its times."""

from __future__ import annotations

from datetime import UTC, datetime

EPOCH = datetime.fromtimestamp(0, UTC)
REASON_LIMIT = 128  # characters of a reason of the cluster
TEXT_LIMIT = 1024  # characters of a message of the cluster


def time_of(text: str | None) -> datetime | None:
    """Parses a Kubernetes timestamp."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
