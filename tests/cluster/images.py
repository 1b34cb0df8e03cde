"""Images without a registry: built by buildah, handed to containerd layer by layer.

Every image goes from buildah's store into one OCI layout (a folder of blobs named by their digests), uncompressed. Then a
layer that did not change is neither written nor read again: after an edit only the layers above it travel.

`FROM debian:bookworm-slim` is resolved to a base that mmdebstrap makes out of Debian's packages, on every machine, so that
an image is the same wherever it was built.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.cluster import binaries, build_environment, paths, runtime
from tests.cluster.errors import ClusterError, log_tail

BASE_IMAGE = "localhost/debian:bookworm-slim"
BASE_SUITE = "bookworm"


@dataclass(frozen=True)
class Build:
    """What to build.

    Attributes:
        tag: the image's name, beginning with `localhost/` so that no kubelet looks for it elsewhere.
        dockerfile: path of the Dockerfile.
        context: the folder that its COPY lines read from.
        target: the stage to build, or None for the last.
    """

    tag: str
    dockerfile: Path
    context: Path
    target: str | None = None


def build(image: Build) -> None:
    """Builds an image; steps that did not change since the last time are not run again.

    Raises:
        ClusterError: if a step fails; the message ends with its last lines.
    """
    ensure_base()
    print(f"Building image {image.tag}", flush=True)
    arguments = ["build", "--layers", "--network=host", "--pull=never", f"--tag={image.tag}", f"--file={image.dockerfile}"]
    if image.target is not None:
        arguments.append(f"--target={image.target}")
    _buildah(image.tag, *arguments, *build_environment.volumes(), str(image.context))


def ensure_base() -> None:
    """Makes the Debian base image unless it is there (15 s)."""
    if _buildah_has(BASE_IMAGE):
        return
    print(f"Making the base image {BASE_IMAGE} from Debian's packages", flush=True)
    folder = paths.cache() / "base"
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "rootfs.tar"
    command = ["mmdebstrap", "--variant=minbase", "--include=ca-certificates", *build_environment.mmdebstrap_options()]
    log = folder / "mmdebstrap.log"
    with log.open("wb") as output:
        outcome = subprocess.run([*command, BASE_SUITE, str(root)], stdout=output, stderr=subprocess.STDOUT)
    if outcome.returncode != 0:
        raise ClusterError(f"mmdebstrap could not make the base image; its log is {log} and ends with:\n{log_tail(log)}")
    (folder / "Dockerfile").write_text('FROM scratch\nADD rootfs.tar /\nCMD ["bash"]\n')
    _buildah("base", "build", f"--tag={BASE_IMAGE}", f"--file={folder / 'Dockerfile'}", str(folder))
    root.unlink()


def load_pause() -> None:
    """Gives containerd the image that holds a pod's namespaces open, unless it has it."""
    if runtime.PAUSE_IMAGE in _images_of_containerd():
        return
    folder = Path(binaries.path_of("pause")).parent
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
    _buildah("pause", "build", f"--tag={runtime.PAUSE_IMAGE}", f"--file={dockerfile}", str(folder))
    load(runtime.PAUSE_IMAGE)


def load(tag: str) -> bool:
    """Gives an image from buildah's store to containerd; tells whether it had to (False: it was there already).

    Raises:
        ClusterError: if the image was not built, or the cluster is not up.
    """
    layout = Layout(paths.cache() / "images")
    _buildah(tag, "push", "--quiet", "--disable-compression", "--format=oci", tag, f"oci:{layout.folder}:{tag}")
    manifest = layout.manifest_of(tag)
    if _images_of_containerd().get(tag) == manifest["digest"]:
        return False
    print(f"Loading image {tag} into containerd", flush=True)
    present = set(runtime.ctr("content", "list", "--quiet").split())
    with layout.archive(tag, manifest, present) as stream:
        runtime.ctr("images", "import", "-", stdin=stream.fileno())
    return True


def load_archive(archive: Path) -> None:
    """Gives containerd the images in an archive (OCI, or as `docker save` writes it).

    Raises:
        ClusterError: if it is none, or the cluster is not up.
    """
    runtime.ctr("images", "import", str(archive.resolve()))


class Layout:
    """An OCI image layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md."""

    def __init__(self, folder: Path) -> None:
        """Uses the layout in `folder`, which need not exist yet."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def manifest_of(self, tag: str) -> Mapping[str, object]:
        """Returns the descriptor of the tagged image's manifest.

        Raises:
            ClusterError: if no image has the tag.
        """
        for descriptor in json.loads((self.folder / "index.json").read_text())["manifests"]:
            if descriptor.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag:
                return dict(descriptor)
        raise ClusterError(f"there is no image {tag} in {self.folder}")

    def blobs_of(self, manifest: Mapping[str, object]) -> list[str]:
        """Returns the digests of the manifest itself, the image's configuration and its layers."""
        digest = str(manifest["digest"])
        content = json.loads(self._blob(digest).read_text())
        return [digest, content["config"]["digest"], *(layer["digest"] for layer in content["layers"])]

    def archive(self, tag: str, manifest: Mapping[str, object], present: Iterable[str]) -> IO[bytes]:
        """Returns a stream with the image as a tar archive, without the layers that the reader has already."""
        present = set(present)
        missing = [digest for digest in self.blobs_of(manifest) if digest not in present]
        index = {"schemaVersion": 2, "manifests": [manifest]}
        reader, writer = os.pipe()

        def write() -> None:
            with open(writer, "wb") as pipe, tarfile.open(fileobj=pipe, mode="w|") as archive:
                for name, content in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", index)):
                    data = json.dumps(content).encode()
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))
                for digest in missing:
                    archive.add(self._blob(digest), arcname=f"blobs/{digest.replace(':', '/')}")

        threading.Thread(target=write, name=f"archive of {tag}", daemon=True).start()
        return open(reader, "rb")

    def _blob(self, digest: str) -> Path:
        return self.folder / "blobs" / digest.replace(":", "/")


def _images_of_containerd() -> dict[str, str]:
    """Returns the digest of every image's manifest in containerd, by name."""
    lines = runtime.ctr("images", "list").splitlines()[1:]
    return {fields[0]: fields[2] for fields in (line.split() for line in lines)}


def _buildah_command(*arguments: str) -> list[str]:
    return ["buildah", f"--root={paths.cache() / 'buildah'}", f"--runroot={paths.RUN / 'buildah'}", *arguments]


def _buildah_has(tag: str) -> bool:
    return subprocess.run(_buildah_command("inspect", "--type=image", tag), capture_output=True).returncode == 0


def _buildah(purpose: str, *arguments: str) -> None:
    """Runs buildah; what it prints goes to a log, whose end is shown if it fails."""
    temporary = paths.cache() / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    log = paths.LOGS / f"image-{purpose.rpartition('/')[2].replace(':', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(temporary)}
    with log.open("wb") as output:
        outcome = subprocess.run(
            _buildah_command(*arguments), env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    if outcome.returncode != 0:
        raise ClusterError(f"buildah {arguments[0]} of {purpose} failed; its log is {log} and ends with:\n{log_tail(log)}")
