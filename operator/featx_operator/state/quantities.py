"""Amounts of resources, exactly as Kubernetes counts them: decimals by the name that a ResourceQuota gives them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any, Final

from kubernetes.utils.quantity import parse_quantity

Amounts = Mapping[str, Decimal]

#: The API server's own bound of a quantity is 2**63. More digits than this would only slow arithmetic down.
LARGEST: Final = Decimal(2**63)
_KIBI: Final = 1024
_BINARY: Final = ("Gi", _KIBI**3), ("Mi", _KIBI**2), ("Ki", _KIBI)
_HUNDREDTH: Final = Decimal("0.01")
_WORDS: Final = {
    "cpu": "CPU",
    "requests.cpu": "CPU",
    "limits.cpu": "CPU of limits",
    "requests.memory": "memory",
    "limits.memory": "memory of limits",
    "requests.ephemeral-storage": "ephemeral storage",
    "ephemeral-storage": "ephemeral storage",
    "limits.ephemeral-storage": "ephemeral storage of limits",
    "count/pods": "pods",
    "configmaps": "ConfigMaps",
    "count/configmaps": "ConfigMaps",
    "secrets": "Secrets",
    "count/secrets": "Secrets",
}


def quantity(text: Any) -> Decimal:
    """Parses a quantity such as 250m or 4Gi.

    Raises:
        ValueError: It is none.
    """
    value: Decimal = parse_quantity(text)  # type: ignore[no-untyped-call]
    if not value.is_finite():
        raise ValueError(f"{text} is not a quantity")
    return max(min(value, LARGEST), -LARGEST)


def amounts(texts: Mapping[str, Any] | None) -> dict[str, Decimal]:
    """Parses quantities by name.

    Raises:
        ValueError: One of them is none.
    """
    return {str(name): quantity(text) for name, text in (texts or {}).items()}


def words(name: str) -> str:
    """A resource's name in a message."""
    return _WORDS.get(name, name)


def shown(name: str, amount: Decimal, *, up: bool = False) -> str:
    """An amount in a message.

    Args:
        name: Of the resource: memory and storage are shown in binary units.
        amount: Bytes, CPUs or a count.
        up: Round up, as for what is needed. What is free is rounded down, so that the two never look equal.
    """
    unit, size = "", 1
    if "memory" in name or "storage" in name:
        unit, size = next(((unit, size) for unit, size in _BINARY if amount and amount % size == 0), ("Mi", _KIBI**2))
    rounded = (amount / size).quantize(_HUNDREDTH, ROUND_UP if up else ROUND_DOWN)
    return f"{rounded:f}".rstrip("0").rstrip(".") + (unit if rounded else "")
