"""Images without a registry: built by buildah, loaded into the node's containerd.

`FROM debian:bookworm-slim` resolves to a base image that mmdebstrap builds from Debian's packages, on every machine, so
that an image is the same wherever it is built.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from examples.cluster import binaries, build_environment, image_store, paths, runtime
from examples.cluster.errors import ClusterError, log_tail

BASE_IMAGE = "localhost/debian:bookworm-slim"
BASE_SUITE = "bookworm"


@dataclass(frozen=True)
class Build:
    """An image to build.

    Attributes:
        tag: name of the image; it begins with `localhost/`, so that no kubelet tries to pull it.
        dockerfile: path of the Dockerfile.
        context: folder that its COPY lines read from.
        target: stage to build, or None for the last.
        arguments: values of the Dockerfile's ARG lines, each NAME=value.
    """

    tag: str
    dockerfile: Path
    context: Path
    target: str | None = None
    arguments: tuple[str, ...] = ()

    def options(self) -> list[str]:
        """Return the options that buildah and Docker take alike."""
        target = [f"--target={self.target}"] if self.target else []
        return [f"--file={self.dockerfile}", *target, *(f"--build-arg={argument}" for argument in self.arguments)]


def build(image: Build) -> None:
    """Build an image; unchanged steps are not run again.

    Raises:
        ClusterError: if a step fails; the message ends with the last lines of its log.
    """
    ensure_base()
    print(f"building image {image.tag}", flush=True)
    options = ["--layers", "--network=host", "--pull=never", f"--tag={image.tag}", *image.options()]
    image_store.buildah(image.tag, "build", *options, *build_environment.volumes(), str(image.context))


def load(tag: str) -> bool:
    """Load a built image into containerd; return False if it was already there.

    Raises:
        ClusterError: if the image was not built, or the cluster is not up.
    """
    image = image_store.find(tag)
    if image is None:
        raise ClusterError(f"image {tag} has not been built")
    if runtime.images().get(tag) == image.digest:
        return False
    print(f"loading image {tag} into containerd", flush=True)
    runtime.import_image(image)
    return True


def load_archive(archive: Path) -> None:
    """Load the images of an archive (OCI, or written by `docker save`) into containerd.

    Raises:
        ClusterError: if it is not an archive of images, or the cluster is not up.
    """
    runtime.ctr("images", "import", str(archive.resolve()))


def load_pause() -> None:
    """Load the image that holds a pod's namespaces open into containerd, unless it is there."""
    if runtime.PAUSE_IMAGE in runtime.images():
        return
    folder = Path(binaries.path_of("pause")).parent
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
    image_store.buildah("pause", "build", f"--tag={runtime.PAUSE_IMAGE}", f"--file={dockerfile}", str(folder))
    load(runtime.PAUSE_IMAGE)


def ensure_base() -> None:
    """Build the Debian base image unless it exists (20 s).

    Raises:
        ClusterError: if mmdebstrap fails; the message ends with the last lines of its log.
    """
    if image_store.find(BASE_IMAGE):
        return
    print(f"building the base image {BASE_IMAGE} from Debian's packages", flush=True)
    folder = paths.cache() / "base"
    folder.mkdir(parents=True, exist_ok=True)
    root, log = folder / "rootfs.tar", folder / "mmdebstrap.log"
    command = ["mmdebstrap", "--variant=minbase", "--include=ca-certificates", *build_environment.mmdebstrap_options()]
    with log.open("wb") as output:
        outcome = subprocess.run([*command, BASE_SUITE, str(root)], stdout=output, stderr=subprocess.STDOUT)
    if outcome.returncode != 0:
        raise ClusterError(f"mmdebstrap failed; the log {log} ends with:\n{log_tail(log)}")
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text('FROM scratch\nADD rootfs.tar /\nCMD ["bash"]\n')
    image_store.buildah("base", "build", f"--tag={BASE_IMAGE}", f"--file={dockerfile}", str(folder))
    root.unlink()
