"""Copies of a resource, put into etcd directly: the API server takes 30 ms of CPU time for each."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from typing import Any

import aiohttp

from examples.cluster.control_plane import ETCD_CLIENTS

OPERATIONS = 100  # of a transaction; etcd takes 128


async def copies(prefix: str, name: str, namespaces: Sequence[str], count: int) -> None:
    """Copies a resource of the first namespace under new names into all namespaces.

    Args:
        prefix: Of the keys, with group and plural.
        name: Of the resource.
        namespaces: Where to put copies, in turns.
        count: How many.
    """
    async with aiohttp.ClientSession(ETCD_CLIENTS) as session:
        stored = await _post(session, "range", {"key": _encoded(f"{prefix}/{namespaces[0]}/{name}")})
        original = json.loads(base64.b64decode(stored["kvs"][0]["value"]))
        puts = []
        for number in range(count):
            namespace, copy = namespaces[number % len(namespaces)], f"{name}-{number}"
            metadata = {**original["metadata"], "name": copy, "namespace": namespace, "uid": str(uuid.uuid4())}
            value = _encoded(json.dumps({**original, "metadata": metadata}))
            puts.append({"requestPut": {"key": _encoded(f"{prefix}/{namespace}/{copy}"), "value": value}})
        for start in range(0, count, OPERATIONS):
            await _post(session, "txn", {"success": puts[start : start + OPERATIONS]})


async def _post(session: aiohttp.ClientSession, method: str, body: Any) -> Any:
    async with session.post(f"/v3/kv/{method}", json=body) as response:
        response.raise_for_status()
        return await response.json()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
