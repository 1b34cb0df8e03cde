"""Runs the demo: set-up outside the cluster's network, where packages can be fetched; the job inside it.

Each step reports what it does and how long it took. Nothing is simulated: the cluster, the S3 server, the operator,
Spark, both models and the images are real.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from featx_cli import named_models as models
from featx_cli.errors import CommandError
from featx_cli.java_build import cache_folder
from featx_job.failures import RunFailure

from examples.cluster import Cluster, ClusterError, choose, featx, s3_store
from examples.demo import ACCESS_KEY, SECRET_KEY, codes, images

RESOURCE = Path("examples/catalog.yaml")


def main() -> int:
    """Run all steps; return the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--images", type=Path, help="directory with your own images (make demo IMAGES=DIR)")
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        run(arguments.images)
    except (CommandError, ClusterError, RunFailure) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\nThe demo took {time.monotonic() - started:.0f} s. The cluster is still up; `make cluster-down` stops it.")
    return 0


def run(folder: Path | None) -> None:
    """Set everything up and runs the main job.

    Args:
        folder: The user's images, or None for images from packages.
    """
    cluster = choose()
    with step("images and models"):
        chosen = images.of_folder(folder) if folder else images.of_packages()
        nets = {
            "models/coco_ssdlite.onnx": models.coco_ssdlite(),
            "models/squeezenet_deepbit.onnx": codes.squeezenet_with_codes(),
        }
        print(f"  {len(chosen)} images, 2 models")
        file = pinned(nets)
    with step(f"cluster: {cluster.name}"):
        cluster.up()
    with step("container images: operator and job"):
        container_images = cluster.load([featx.OPERATOR, featx.JOB])
    with step("S3 server (SeaweedFS) in the cluster"):
        s3_store.deploy(cluster, ACCESS_KEY, SECRET_KEY)
    with step("Featx: CRD and operator"):
        featx.install(cluster, container_images, ["default"])
    inside(cluster, file, chosen, nets)


def inside(cluster: Cluster, file: Path, chosen: list[Path], nets: dict[str, Path]) -> None:
    """Continue in the cluster's network, where the store and the API server can be reached.

    Raises:
        CommandError: The job did not succeed; its output is on the terminal.
    """
    objects = {f"images/{path.name}": str(path) for path in chosen} | {key: str(path) for key, path in nets.items()}
    task = yaml.safe_dump({"resource": str(file), "objects": objects})
    command = cluster.command([sys.executable, "-m", "examples.demo.inside"])
    outcome = subprocess.run(command, env={**os.environ, **cluster.environment()}, input=task, text=True, check=False)
    if outcome.returncode:
        raise CommandError(f"the job of {file} did not succeed: see the output above")


def pinned(nets: dict[str, Path]) -> Path:
    """Return the resource file, which pins the digests of both models.

    TensorFlow folds constants during conversion, and the codes are fitted: another kind of CPU may round either
    differently. In that case it is a copy with the digests of the files built here.
    """
    text = original = RESOURCE.read_text()
    for key, path in nets.items():
        text = re.sub(rf"(/{key}\n *sha256: )[0-9a-f]+", rf"\g<1>{models.digest(path)}", text)
    if text == original:
        return RESOURCE
    copy = cache_folder() / "models" / RESOURCE.name
    copy.write_text(text)
    print(f"  these models differ from those pinned in {RESOURCE}; using {copy}")
    return copy


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print a step, and how long it took."""
    print(f"• {what}", flush=True)
    started = time.monotonic()
    yield
    print(f"  done in {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
