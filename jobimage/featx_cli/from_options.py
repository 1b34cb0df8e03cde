"""Makes a resource from the options of `featx run`, for whoever has no YAML yet.

The resource is an ordinary one: it is printed, `--write` saves it, and later runs and a cluster take it from there.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from featx_api import API_VERSION, KIND
from featx_api.resource import NAME_LIMIT
from featx_api.text import counted
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.errors import ModelError
from featx_job.nets.graph.network import Network
from featx_job.nets.graph.operations import Softmax
from featx_job.nets.onnx import onnx_reader

from featx_cli import local_addresses, named_models
from featx_cli.errors import CommandError
from featx_cli.resource_file import LocalResource, from_document

ORIGIN = Path("the resource made from the options")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
PROTOTXT, CAFFEMODEL = (".prototxt", ".txt"), ".caffemodel"
SHOWN_LAYERS = 5
#: Options that describe a run, which a file does otherwise.
OPTIONS = ("images", "model", "weights", "layer", "detector", "output", "name", "endpoint", "max_failed_fraction")
Part = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that describe a run."""
    made = parser.add_argument_group("without a file")
    made.add_argument("--images", metavar="ADDRESS", help="folder of the images: a path, or s3://bucket/prefix")
    made.add_argument(
        "--model",
        metavar="MODEL",
        help=f"model that computes the feature: {', '.join(named_models.EXTRACTORS)}, an .onnx file, or a .prototxt "
        "file next to its .caffemodel",
    )
    made.add_argument("--weights", metavar="FILE", help="weights of a .prototxt file that lie elsewhere")
    made.add_argument("--layer", help="layer whose output is the feature (default: the one output of the model)")
    made.add_argument(
        "--detector",
        metavar="MODEL",
        help=f"model that finds the main subject: {', '.join(named_models.DETECTORS)}, or a file (default: none)",
    )
    made.add_argument("--output", metavar="ADDRESS", help="folder of the table: a path, or s3://bucket/prefix")
    made.add_argument("--name", help="name of the resource (default: that of the output's folder)")
    made.add_argument("--endpoint", metavar="URL", help="URL of the S3 server (default: AWS_ENDPOINT_URL, then AWS)")
    made.add_argument(
        "--max-failed-fraction",
        metavar="X",
        type=float,
        help="share of the images that may end in quarantine, from 0 to 1 (default: 0.1)",
    )


def resource(options: argparse.Namespace, environment: Mapping[str, str]) -> LocalResource:
    """The resource that the options describe.

    Args:
        options: See `add_arguments`.
        environment: AWS_* variables.

    Raises:
        CommandError: An option is missing or wrong.
    """
    missing = [f"--{name}" for name in ("images", "model", "output") if not getattr(options, name)]
    if missing:
        raise CommandError(
            f"missing: {', '.join(missing)}; without a FILE, --images, --model and --output are required"
        )
    here = Path.cwd()
    spec: Part = {"source": _source(options, environment, here)}
    if options.detector:
        spec["detector"] = _model(options.detector, None, "--detector", named_models.DETECTORS, here)[0]
    spec["extractor"] = _extractor(options, here)
    spec["output"] = {"uri": local_addresses.to_address(options.output.rstrip("/") or "/", here)}
    if options.output.startswith("s3://") and not options.images.startswith("s3://"):
        spec["output"]["s3"] = _access(options.endpoint, environment)
    if options.max_failed_fraction is not None:
        spec["errors"] = {"maxFailedFraction": options.max_failed_fraction}
    metadata = {"name": options.name or _name(spec["output"]["uri"])}
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
    return from_document(ORIGIN, document, here)


def _source(options: argparse.Namespace, environment: Mapping[str, str], here: Path) -> Part:
    images = options.images
    if images.startswith("s3://"):
        bucket, _, prefix = images.removeprefix("s3://").partition("/")
        access = _access(options.endpoint, environment)
        return {"s3": access | {"bucket": bucket} | ({"prefix": f"{prefix.rstrip('/')}/"} if prefix else {})}
    address = local_addresses.to_address(images, here)
    folder = Path(address.removeprefix(local_addresses.FILE))
    if address.startswith(local_addresses.FILE) and not folder.is_dir():
        problem = "is a file: pass its folder" if folder.exists() else f"no such folder; relative paths start at {here}"
        raise CommandError(f"--images {images}: {problem}")
    return {"files": {"uri": address}}


def _access(endpoint: str | None, environment: Mapping[str, str]) -> Part:
    """How to reach the S3 store that AWS_* variables describe, anonymously if they hold no identity."""
    access: Part = {}
    if server := endpoint or environment.get("AWS_ENDPOINT_URL"):
        access["endpoint"] = server
    if region := environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"):
        access["region"] = region
    return access | ({"podIdentity": True} if any(environment.get(key) for key in KEYS) else {})


def _extractor(options: argparse.Namespace, here: Path) -> Part:
    part, file = _model(options.model, options.weights, "--model", named_models.EXTRACTORS, here)
    if options.layer:
        return part | {"layer": options.layer}
    if "layer" in part:
        return part
    if file is None:
        raise CommandError(f"--layer is missing: {options.model} is not on this machine, so its layers are unknown")
    return part | {"layer": _last_layer(part["model"], options.model)}


def _model(
    model: str, weights: str | None, option: str, names: Mapping[str, Callable[[], Part]], here: Path
) -> tuple[Part, Path | None]:
    """The part of a resource for a model, and its file if it is on this machine."""
    if model in names and not Path(model).is_file():
        return names[model](), None
    address = local_addresses.to_address(model, here)
    file = Path(address.removeprefix(local_addresses.FILE)) if address.startswith(local_addresses.FILE) else None
    if file is not None and not file.is_file():
        hint = f"pass an .onnx or .prototxt file, or one of these names: {', '.join(names)}"
        problem = "is a folder" if file.is_dir() else "no such file, and no model has this name"
        raise CommandError(f"{option} {model}: {problem}; {hint}")
    if not model.lower().endswith(PROTOTXT):
        return {"model": {"onnx": address}}, file
    caffemodel = local_addresses.to_address(weights, here) if weights else _beside(file, option, model)
    return {"model": {"prototxt": address, "weights": caffemodel}}, file


def _beside(prototxt: Path | None, option: str, model: str) -> str:
    """The address of the weights next to an architecture: of its name, or the only ones in the folder."""
    if prototxt is None:
        raise CommandError(f"--weights is missing: {option} {model} is the architecture only")
    named = prototxt.with_suffix(CAFFEMODEL)
    others = [named] if named.is_file() else sorted(prototxt.parent.glob(f"*{CAFFEMODEL}"))
    if len(others) != 1:
        raise CommandError(f"--weights is missing: {prototxt.parent} has {counted(len(others), f'{CAFFEMODEL} file')}")
    return f"{local_addresses.FILE}{others[0]}"


def _last_layer(model: Mapping[str, str], shown: str) -> str:
    """The one output of a model on this machine; class probabilities are no feature."""
    paths = {name: Path(address.removeprefix(local_addresses.FILE)) for name, address in model.items()}
    try:
        network = _read(paths)
    except (ModelError, UnicodeDecodeError, OSError) as error:
        problem = error.strerror if isinstance(error, OSError) else "is not a text file"
        raise CommandError(f"--model {shown}: {error if isinstance(error, ModelError) else problem}") from None
    last, *others = network.outputs
    if others:
        names = ", ".join(network.outputs[:SHOWN_LAYERS])
        raise CommandError(f"--layer is missing: {shown} has {len(network.outputs)} outputs, such as {names}")
    if isinstance(network.by_name()[last].operation, Softmax):
        names = ", ".join(layer.name for layer in network.layers[-SHOWN_LAYERS - 1 : -1])
        raise CommandError(f"--layer is missing: {shown} ends in class probabilities; the layers before are {names}")
    return last


def _read(paths: Mapping[str, Path]) -> Network:
    if "onnx" in paths:
        return onnx_reader.read(paths["onnx"].read_bytes())
    return caffe_reader.read(paths["prototxt"].read_text(encoding="utf-8"), paths["weights"].read_bytes())


def _name(address: str) -> str:
    """A name in the form of Kubernetes, from the last part of an address."""
    words = re.findall(r"[a-z0-9]+", address.rsplit("/", 1)[-1].lower())
    return "-".join(words)[:NAME_LIMIT].strip("-") or "features"
