"""An API server in memory with one resource, and the Secret that it names."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.support.bad_resources import good
from tests.unit.operator.api_server import SECRETS, FakeApiServer
from tests.unit.operator.operator_process import RESOURCE, START


@pytest.fixture
def api() -> FakeApiServer:
    """The API server."""
    api = FakeApiServer(START.isoformat())
    body: dict[str, Any] = copy.deepcopy(good())
    body["metadata"] = {"name": "catalog", "namespace": "default", "uid": "u-1", "generation": 1}
    api.put(RESOURCE, body)
    store = {"metadata": {"name": "store", "labels": {"featx.dev/store": "true"}}, "data": {"key": "dGhlIHZhbHVl"}}
    api.put(f"{SECRETS}/store", store)
    return api
