"""Fetches models, verifies their digests, and imports them, all before any executor is requested.

What is imported is a copy that nobody else can write to: a file on a claim may be changed after its digest was
compared, or cut, which ends a process that has it mapped.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from featx_api.failures import FailureClass
from featx_api.nets import Model
from featx_api.s3 import StoreAccess
from featx_api.spec import FeatureExtractionSpec

from featx_job import local_files
from featx_job.clients import s3
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.local_files import LocalPath
from featx_job.models import packages
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.errors import ModelError
from featx_job.nets.graph.network import Network
from featx_job.nets.onnx import onnx_reader
from featx_job.nets.prepare import PreparedNet, prepare_detector, prepare_extractor
from featx_job.nets.protobuf_wire import Part, Parts

Result = TypeVar("Result")

# No protobuf message has more bytes, and both formats are one. A store that never stops would fill the node's disk.
MOST_BYTES = 2 << 30
MOST_TEXT = 64 << 20  # of a prototxt
_PART = 16 << 20


class Reach(NamedTuple):
    """How stores are reached.

    Attributes:
        default: Access to stores that a model does not describe.
        field: The spec's field that holds it.
        patience: Seconds to wait for a store that does not respond.
    """

    default: StoreAccess
    field: str
    patience: float


class NetFiles(NamedTuple):
    """The network files that executors load; the detector may be absent."""

    detector: Parts | None
    extractor: Parts


class Nets(NamedTuple):
    """The imported nets of a run; the detector may be absent."""

    detector: PreparedNet | None
    extractor: PreparedNet

    def files(self) -> NetFiles:
        """Return the network files for floating-point arithmetic."""
        return NetFiles(self.detector.float_file() if self.detector else None, self.extractor.float_file())

    def networks(self) -> list[Network]:
        """Return the graphs that executors run."""
        return [net.network for net in (self.detector, self.extractor) if net]

    def notes(self) -> list[str]:
        """Return remarks for the models' owners."""
        return [*(self.detector.notes if self.detector else ()), *self.extractor.notes]


def load(spec: FeatureExtractionSpec, environment: Environment) -> Nets:
    """Return the nets that a spec names.

    Raises:
        RunFailure: ModelNotFound, ModelDigestMismatch, ModelInvalid, PathNotAllowed, or a store's failure.
    """
    detector = None
    if spec.detector:
        field = "spec.detector.model"
        ssd = network(spec, spec.detector.described, field, environment)
        detector = _checked(field, lambda: prepare_detector(ssd, spec.engine, spec.precision))
    field, layer, binarize = "spec.extractor.model", spec.extractor.feature_layer, spec.extractor.binarize
    whole = network(spec, spec.extractor.described, field, environment)
    bits_layer = binarize.layer if binarize else None
    extractor = _checked(field, lambda: prepare_extractor(whole, layer, spec.engine, spec.precision, bits_layer))
    return Nets(detector, extractor)


def _checked(field: str, read: Callable[[], Result]) -> Result:
    try:
        return read()
    except ModelError as error:
        raise RunFailure(FailureClass.MODEL_INVALID, f"{field}: {error}") from None


def _reach(spec: FeatureExtractionSpec) -> Reach:
    return Reach(spec.store_of(None), "spec.source.s3", spec.execution.store_timeout_seconds)


def network(spec: FeatureExtractionSpec, model: Model, field: str, environment: Environment) -> Network:
    """Return the net of one of a run's models; see `read`."""
    return read(_reach(spec), model, field, environment)


def read(reach: Reach, model: Model, field: str, environment: Environment) -> Network:
    """Return the net of a model, after verifying the digest of the file with its weights.

    Args:
        reach: How stores are reached.
        model: The model.
        field: The spec's field that holds it.
        environment: Where it is read.

    Raises:
        RunFailure: As `load`.
    """
    weights = _weights(reach, model, field, environment)
    actual = hashlib.sha256(weights).hexdigest()
    if actual != model.sha256:
        uri = model.onnx or model.weights
        message = f"{field}.sha256 is {model.sha256}, but {uri} has {actual}; correct one of them"
        raise RunFailure(FailureClass.MODEL_DIGEST_MISMATCH, message)
    if model.onnx:
        return _checked(field, lambda: onnx_reader.read(weights))
    prototxt = _fetch(reach, model, str(model.prototxt), f"{field}.prototxt", environment)
    try:
        text = bytes(prototxt).decode()
    except UnicodeDecodeError:
        raise RunFailure(FailureClass.MODEL_INVALID, f"{field}.prototxt: {model.prototxt} is not a text file") from None
    return _checked(field, lambda: caffe_reader.read(text, weights))


def digest(spec: FeatureExtractionSpec, model: Model, field: str, environment: Environment) -> str:
    """Return the SHA-256 digest of a model's weights, in hex. Raises the same as `network`."""
    return hashlib.sha256(_weights(_reach(spec), model, field, environment)).hexdigest()


def _weights(reach: Reach, model: Model, field: str, environment: Environment) -> Part:
    name, uri = ("onnx", model.onnx) if model.onnx else ("weights", str(model.weights))
    return _fetch(reach, model, uri, f"{field}.{name}", environment)


def _fetch(reach: Reach, model: Model, uri: str, field: str, environment: Environment) -> Part:
    """Return a file's bytes mapped from disk, so that weights and views of them take no memory."""
    most = MOST_TEXT if field.endswith(".prototxt") else MOST_BYTES
    if uri.startswith("s3://"):
        path = local_files.on_this_machine(_download(reach, model, uri, field, environment, most), field)
    elif uri.startswith(packages.SCHEME):
        if environment.cluster:  # pip would run where the run's token and Secrets are
            message = f"{field}: {uri} is for `featx run` only; upload the model to a store or a volume"
            raise RunFailure(FailureClass.PATH_NOT_ALLOWED, message)
        path = local_files.on_this_machine(packages.fetch(uri, field), field)
    else:
        path = local_files.locate(uri, field, environment)
    try:
        if path.confined:
            path = local_files.on_this_machine(_copied(path, field, environment, most), field)
        with path.open() as file:
            size = os.fstat(file.fileno()).st_size
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if size else b""
    except OSError as error:
        message = f"{field}: {path.path} cannot be read ({error.strerror})"
        raise RunFailure(FailureClass.MODEL_NOT_FOUND, message) from None


def _own_path(field: str, environment: Environment) -> Path:
    return environment.work / "models" / field.removeprefix("spec.")


def _copied(file: LocalPath, field: str, environment: Environment, most: int) -> Path:
    """Return the path to which a file of a claim was copied."""
    path = _own_path(field, environment)
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with file.open() as source, path.open("wb") as copy:
        while part := source.read(_PART):
            size += len(part)
            if size > most:
                raise _too_large(file.address, field, most)
            copy.write(part)
    return path


def _too_large(uri: str, field: str, most: int) -> RunFailure:
    message = f"{field}: {uri} has more than {most >> 20} MiB, and so is no model; correct the address"
    return RunFailure(FailureClass.MODEL_INVALID, message)


def _download(reach: Reach, model: Model, uri: str, field: str, environment: Environment, most: int) -> Path:
    """Return the path to which an object was downloaded."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    where = f"{field.rsplit('.', 1)[0]}.s3" if model.s3 else reach.field
    store = s3.open_bucket(model.s3 or reach.default, where, bucket, environment.secrets, reach.patience)
    path = _own_path(field, environment)
    try:
        if not store.download(key, path, most):
            raise RunFailure(FailureClass.MODEL_NOT_FOUND, f"{field}: {uri} not found")
    except s3.TooLargeError:
        raise _too_large(uri, field, most) from None
    return path
