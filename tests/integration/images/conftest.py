"""One JVM with the executors' decoder, shared by all tests of images."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.images.decoder import Decoder
from tests.integration.nets.engine import running


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    with running() as engine:
        yield Decoder(engine.gateway)
