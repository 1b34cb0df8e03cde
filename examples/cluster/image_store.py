"""buildah's image store, read as OCI content: a manifest, a configuration and layers, with digests.

buildah itself can write an image to a file, but compresses every layer each time. Here only layers that the reader
lacks are read, uncompressed: after an edit only the layers above it are copied.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from examples.cluster import paths
from examples.cluster.errors import ClusterError, log_tail

# https://github.com/opencontainers/image-spec/blob/main/image-layout.md
LAYOUT = {"imageLayoutVersion": "1.0.0"}
NAME_ANNOTATION = "io.containerd.image.name"
REPORT_SECONDS = 5.0


@dataclass(frozen=True)
class StoredImage:
    """An image in the store.

    Attributes:
        tag: its name.
        manifest: its OCI manifest, unchanged.
    """

    tag: str
    manifest: bytes

    @property
    def digest(self) -> str:
        """The manifest's digest, by which containerd identifies the image."""
        return f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"


def find(tag: str) -> StoredImage | None:
    """Return the image with this tag, or None if there is none."""
    outcome = subprocess.run(_storage_command("get-image-data", tag, "manifest"), capture_output=True)
    return StoredImage(tag, outcome.stdout) if outcome.returncode == 0 else None


def write_archive(image: StoredImage, present: Set[str], output: IO[bytes]) -> None:
    """Write the image as an OCI archive, without layers that the reader has.

    Args:
        image: the image.
        present: digests of the blobs that the reader has.
        output: the archive; it need not be seekable.

    Raises:
        ClusterError: if a layer cannot be read.
    """
    manifest = json.loads(image.manifest)
    descriptor = {
        "mediaType": manifest["mediaType"],
        "digest": image.digest,
        "size": len(image.manifest),
        "annotations": {NAME_ANNOTATION: image.tag},
    }
    index = {"schemaVersion": 2, "manifests": [descriptor]}
    configuration = manifest["config"]["digest"]
    with tarfile.open(fileobj=output, mode="w|") as archive:
        _add(archive, "oci-layout", json.dumps(LAYOUT).encode())
        _add(archive, "index.json", json.dumps(index).encode())
        _add(archive, _blob_name(image.digest), image.manifest)
        _add(archive, _blob_name(configuration), _storage("get-image-data", image.tag, configuration))
        layer_ids = {layer.get("diff-digest"): layer["id"] for layer in json.loads(_storage("layers", "--json"))}
        for layer in manifest["layers"]:
            if layer["digest"] not in present:
                _add_layer(archive, layer_ids[layer["digest"]], layer)


def buildah(purpose: str, *arguments: str) -> None:
    """Run buildah on the store; its output goes to a log.

    Raises:
        ClusterError: if it fails; the message names the log and ends with its last lines.
    """
    temporary = paths.cache() / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    log = paths.LOGS / f"image-{purpose.rpartition('/')[2].replace(':', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(temporary)}
    command = _buildah_command(*arguments)
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        _report_steps(process, log)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode != 0:
        raise ClusterError(f"building image {purpose} failed; the log {log} ends with:\n{log_tail(log)}")


def _report_steps(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a build has ended, and print the steps that take long: some take minutes."""
    started, shown = time.monotonic(), ""
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(REPORT_SECONDS)
        steps = re.findall(r"^(?:\[\d+/\d+\] )?STEP \d+/\d+: .*", log.read_text(errors="replace"), re.MULTILINE)
        if process.returncode is None and steps and steps[-1] != shown:
            shown = steps[-1]
            print(f"  {time.monotonic() - started:3.0f} s  {shown[:100]}", flush=True)


def prune() -> None:
    """Remove steps of earlier builds that no image's last build used: each edit would leave gigabytes."""
    logs = "\n".join(log.read_text(errors="replace") for log in paths.LOGS.glob("image-*.log"))
    listing = _buildah("images", "--all", "--filter=dangling=true", "--no-trunc", "--format={{.ID}}").split()
    for step in unused_steps(listing, logs):
        subprocess.run(_buildah_command("rmi", step), capture_output=True)  # fails for one that is still needed


def unused_steps(steps: Sequence[str], logs: str) -> list[str]:
    """Return the steps that no log names, in the order given.

    Args:
        steps: digests of images without a name, `sha256:…`.
        logs: output of buildah, which names a step by its digest or the beginning of it.
    """
    used = tuple(re.findall(r"^--> (?:Using cache )?([0-9a-f]{11,64})$", logs, re.MULTILINE))
    return [step for step in steps if not step.removeprefix("sha256:").startswith(used)]


def _buildah(*arguments: str) -> str:
    outcome = subprocess.run(_buildah_command(*arguments), capture_output=True, text=True)
    if outcome.returncode != 0:
        raise ClusterError(f"`buildah {' '.join(arguments)}` failed: {outcome.stderr.strip()}")
    return outcome.stdout


def _buildah_command(*arguments: str) -> list[str]:
    return ["buildah", f"--root={_root()}", f"--runroot={_run_root()}", *arguments]


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _add_layer(archive: tarfile.TarFile, layer_id: str, layer: dict[str, object]) -> None:
    entry = tarfile.TarInfo(_blob_name(str(layer["digest"])))
    entry.size = int(str(layer["size"]))
    command = _storage_command("diff", "--uncompressed", layer_id)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            archive.addfile(entry, process.stdout)
        except BrokenPipeError:  # the reader is gone, and reports why
            raise
        except OSError:  # the layer is truncated
            process.kill()
    if process.returncode != 0:
        raise ClusterError(f"layer {layer['digest']} cannot be read from {_root()}")


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _storage(*arguments: str) -> bytes:
    outcome = subprocess.run(_storage_command(*arguments), capture_output=True)
    if outcome.returncode != 0:
        raise ClusterError(f"`containers-storage {' '.join(arguments)}` failed: {outcome.stderr.decode().strip()}")
    return outcome.stdout


def _storage_command(*arguments: str) -> list[str]:
    command, *rest = arguments
    return ["containers-storage", "--graph", str(_root()), "--run", str(_run_root()), command, *rest]


def _root() -> Path:
    return paths.cache() / "buildah"


def _run_root() -> Path:
    return paths.RUN / "buildah"
