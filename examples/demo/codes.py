"""SqueezeNet with a DeepBit layer, fitted to the demo's images with `featx fit-deepbit`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import yaml
from featx_cli import named_models as models
from featx_cli.errors import CommandError
from featx_cli.java_build import cache_folder
from featx_retrieval import deepbit, rotation

from examples.demo import images

BITS = 64


@cache
def squeezenet_with_codes() -> Path:
    """Return the extractor's file: `models.squeezenet` with the layer `deepbit` of 64 units after `feature`.

    The fit takes 20 seconds. It is cached for the same images, model and fitting code.

    Raises:
        CommandError: Images or weights are not available, or the fit failed.
    """
    chosen = images.of_packages()
    fitted_by = [Path(str(module.__file__)) for module in (deepbit, rotation)]
    about = "\n".join(models.digest(path) for path in [models.squeezenet(), *fitted_by, *chosen])
    file = cache_folder() / "models" / f"squeezenet_deepbit-{hashlib.sha256(about.encode()).hexdigest()[:16]}.onnx"
    if not file.exists():
        with tempfile.TemporaryDirectory() as folder:
            _fit(chosen, Path(folder), file)
    return file


def _fit(chosen: list[Path], folder: Path, file: Path) -> None:
    source = folder / "images"
    source.mkdir()
    for index, path in enumerate(chosen):
        (source / f"{index:03}{path.suffix}").symlink_to(path)
    spec = {
        "source": {"files": {"uri": source.as_uri()}},
        "extractor": models.squeezenet_extractor(),
        "output": {"uri": (folder / "table").as_uri()},
    }
    resource = folder / "codes.yaml"
    text = {
        "apiVersion": "featx.dev/v1alpha1",
        "kind": "FeatureExtraction",
        "metadata": {"name": "codes"},
        "spec": spec,
    }
    resource.write_text(yaml.safe_dump(text))
    command = [sys.executable, "-m", "featx_cli", "fit-deepbit", str(resource), f"--bits={BITS}", f"--output={file}"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise CommandError(f"cannot fit the demo's codes: {outcome.stdout}{outcome.stderr}")
