"""Fetches models, checks their digests, and imports them: all before any executor is asked for."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from featx_api.nets import Model
from featx_api.spec import FeatureExtractionSpec

from featx_job.clients import s3
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.models import packages
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.errors import ModelError
from featx_job.nets.graph.network import Network
from featx_job.nets.load import Loaded, ready_detector, ready_extractor
from featx_job.nets.onnx import onnx_reader
from featx_job.nets.protobuf_wire import Part, Parts

Made = TypeVar("Made")


class NetFiles(NamedTuple):
    """Network files of both nets, as executors load them; the detector may be absent."""

    detector: Parts | None
    extractor: Parts


class Nets(NamedTuple):
    """The nets of a run, imported; the detector may be absent."""

    detector: Loaded | None
    extractor: Loaded

    def files(self) -> NetFiles:
        """Returns what executors load, for arithmetic in floats."""
        return NetFiles(self.detector.parts() if self.detector else None, self.extractor.parts())

    def networks(self) -> list[Network]:
        """Returns what executors compute."""
        return [net.network for net in (self.detector, self.extractor) if net]

    def notes(self) -> list[str]:
        """Returns what the models' owners should know."""
        return [*(self.detector.notes if self.detector else ()), *self.extractor.notes]


def load(spec: FeatureExtractionSpec, environment: Environment) -> Nets:
    """Returns the nets that a spec names.

    Raises:
        RunFailure: ModelNotFound, ModelDigestMismatch, ModelInvalid, LayerNotFound, or a store's failure.
    """
    detector = None
    if spec.detector:
        found = network(spec, spec.detector.model, "spec.detector.model", environment)
        detector = _usable("spec.detector.model", lambda: ready_detector(found, spec.engine, spec.precision))
    whole = network(spec, spec.extractor.model, "spec.extractor.model", environment)
    layer, binarize = spec.extractor.layer, spec.extractor.binarize
    bits = binarize.layer if binarize else None
    extractor = _usable(
        "spec.extractor.model", lambda: ready_extractor(whole, layer, spec.engine, spec.precision, bits)
    )
    return Nets(detector, extractor)


def _usable(field: str, make: Callable[[], Made]) -> Made:
    try:
        return make()
    except ModelError as error:
        raise RunFailure("ModelInvalid", f"{field}: {error}") from None


def network(spec: FeatureExtractionSpec, model: Model, field: str, environment: Environment) -> Network:
    """Returns the net of a model; the file that holds its weights is the one whose digest is checked.

    Args:
        spec: The run's.
        model: The model.
        field: Where in the spec it stands.
        environment: Where the run is.

    Raises:
        RunFailure: As `load`.
    """
    name, uri = ("onnx", model.onnx) if model.onnx else ("weights", str(model.weights))
    weights = _fetch(spec, model, uri, f"{field}.{name}", environment)
    digest = hashlib.sha256(weights).hexdigest()
    if digest != model.sha256:
        message = f"{field}.sha256 is {model.sha256}, but {uri} has {digest}: correct the one or the other"
        raise RunFailure("ModelDigestMismatch", message)
    if model.onnx:
        return _usable(field, lambda: onnx_reader.read(weights))
    prototxt = _fetch(spec, model, str(model.prototxt), f"{field}.prototxt", environment)
    try:
        text = bytes(prototxt).decode()
    except UnicodeDecodeError:
        raise RunFailure("ModelInvalid", f"{field}.prototxt: {model.prototxt} is no text") from None
    return _usable(field, lambda: caffe_reader.read(text, weights))


def _fetch(spec: FeatureExtractionSpec, model: Model, uri: str, field: str, environment: Environment) -> Part:
    """Returns a file's bytes where they lie: weights stay on disk, and views of them do too."""
    if uri.startswith("s3://"):
        path = _of_store(spec, model, uri, field, environment)
    else:
        path = packages.fetch(uri, field) if uri.startswith(packages.SCHEME) else Path(uri.removeprefix("file://"))
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if path.stat().st_size else b""
    except OSError as error:
        raise RunFailure("ModelNotFound", f"{field}: {path} can't be read ({error.strerror})") from None


def _of_store(spec: FeatureExtractionSpec, model: Model, uri: str, field: str, environment: Environment) -> Path:
    """Returns where an object was put on this machine."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    access = spec.store_of(model.s3)
    where = f"{field.rsplit('.', 1)[0]}.s3" if model.s3 else "spec.source.s3"
    patience = spec.execution.store_timeout_seconds
    store = s3.open_bucket(access, where, bucket, environment.secrets, patience)
    path = environment.work / "models" / field.removeprefix("spec.")
    if not store.download(key, path):
        raise RunFailure("ModelNotFound", f"{field}: {uri} not found")
    return path
