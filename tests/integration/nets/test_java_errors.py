"""Errors of the engine for invalid files and calls, and the failures the driver derives from Java exceptions."""

from __future__ import annotations

import numpy as np
import pytest
from featx_api.failures import FailureClass
from featx_job.failures import from_java
from py4j.protocol import Py4JJavaError

from tests.integration.nets.engine import Engine, Name
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
        (lambda data: b"not a net", "not a network file"),
        (lambda data: data[:8] + b"\x09\0\0\0" + data[12:], "version 9; this job image reads version 1"),
        (lambda data: data[:16] + b"#" + data[17:], "header is damaged"),
        (lambda data: data[:200], "truncated after"),
        (lambda data: data[:-64], "truncated after"),
    ],
)
def test_a_damaged_network_file_is_refused(engine: Engine, network: bytes, change: object, expected: str) -> None:
    with pytest.raises(Py4JJavaError, match=expected):
        engine.forward(change(network), IMAGES)  # type: ignore[operator]


def test_an_extractor_is_refused_as_a_detector(engine: Engine, network: bytes) -> None:
    with pytest.raises(Py4JJavaError, match="does not contain a detector"):
        engine.detect(network, IMAGES, 0.5)


def test_a_batch_that_is_too_large_is_refused(engine: Engine, network: bytes) -> None:
    with pytest.raises(Py4JJavaError, match="batch of 2 images; must be 1 to 1"):
        engine.forward_at_once(network, IMAGES, batch=1)


def test_a_net_is_converted_once_per_batch_size(engine: Engine, network: bytes) -> None:
    assert engine.compiled(network, 4).equals(engine.compiled(network, 4))
    assert not engine.compiled(network, 4).equals(engine.compiled(network, 2))


@pytest.mark.parametrize(
    ("name", "known", "unknown"), [("bigdl", b'"Eltwise"', b'"Eltwice"'), ("openvino", b"\x04Conv", b"\x04Konv")]
)
def test_a_net_that_an_engine_cannot_compile_is_an_invalid_model(
    engine: Engine, name: Name, known: bytes, unknown: bytes
) -> None:
    net = tiny_extractor()
    network = file_of(load_extractor(net.prototxt(), net.caffemodel(), "pool", name))
    assert known in network
    with pytest.raises(Py4JJavaError) as refusal:
        engine.using(name).compiled(network.replace(known, unknown), 2)
    failure = from_java(engine.jvm.dev.featx, refusal.value.java_exception)
    assert failure.class_ is FailureClass.MODEL_INVALID, failure
    assert f"engine {name}" in str(failure) and "\n" not in str(failure)


@pytest.mark.parametrize(
    "name", ["AccessDenied", "UnknownHost", "No space left", "HBase at ", "ModelError", "SparkContext was shut down"]
)
def test_file_names_do_not_affect_the_failure_class(engine: Engine, name: str) -> None:
    java, text = engine.jvm.java, f"the store did not answer for 120 s: reading s3a://b/docs/{name}.jpg"
    silent = java.net.SocketTimeoutException(text)
    assert from_java(engine.jvm.dev.featx, java.io.IOException(text, silent)).class_ is FailureClass.STORE_UNREACHABLE
    assert from_java(engine.jvm.dev.featx, java.io.IOException(text)).class_ is FailureClass.INTERNAL
