"""What the engine says of files and calls that are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from py4j.protocol import Py4JJavaError

from tests.integration.nets.engine import Engine
from tests.support.prepared_nets import file_of, load_extractor
from tests.support.tiny_models import EXTRACTOR_SIZE, tiny_extractor

IMAGES = np.zeros((2, 3, EXTRACTOR_SIZE, EXTRACTOR_SIZE), np.float32)


@pytest.fixture(scope="module")
def network() -> bytes:
    net = tiny_extractor()
    return file_of(load_extractor(net.prototxt(), net.caffemodel(), "pool"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda data: b"no net", "no network file"),
        (lambda data: data[:8] + b"\x09\0\0\0" + data[12:], "version 9; this job image reads 1"),
        (lambda data: data[:16] + b"#" + data[17:], "header is damaged"),
        (lambda data: data[:200], "cut short"),
        (lambda data: data[:-64], "cut short"),
    ],
)
def test_a_damaged_network_file_is_refused(engine: Engine, network: bytes, change: object, expected: str) -> None:
    with pytest.raises(Py4JJavaError, match=expected):
        engine.forward(change(network), IMAGES)  # type: ignore[operator]


def test_an_extractor_is_no_detector(engine: Engine, network: bytes) -> None:
    with pytest.raises(Py4JJavaError, match="holds no detector"):
        engine.detect(network, IMAGES, 0.5)


def test_a_batch_that_is_too_large_is_refused(engine: Engine, network: bytes) -> None:
    with pytest.raises(Py4JJavaError, match="a batch of 2 where 1 to 1 fit"):
        engine.forward_at_once(network, IMAGES, batch=1)


def test_a_net_is_converted_once_for_a_batch_size(engine: Engine, network: bytes) -> None:
    assert engine.compiled(network, 4).equals(engine.compiled(network, 4))
    assert not engine.compiled(network, 4).equals(engine.compiled(network, 2))
