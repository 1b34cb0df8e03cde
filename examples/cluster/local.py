"""Our own cluster: one node on this machine, without Docker, a registry or systemd."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from examples.cluster import (
    binaries,
    build_environment,
    certificates,
    cgroups,
    control_plane,
    image_store,
    images,
    kernel_settings,
    mounts,
    network,
    node,
    packages,
    paths,
    processes,
    runtime,
)
from examples.cluster.errors import ClusterError
from examples.cluster.remains import remove

MANIFESTS = Path(__file__).parent / "manifests"
SECONDS_TO_READY = 60
# New versions of images are unpacked next to old ones; pods and volumes come on top.
FREE_BYTES = 8 << 30

# First those that would start containers again, last those that are needed to stop them.
STOP_ORDER = ("kubelet", "kube-proxy", "coredns", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")


class LocalCluster:
    """Implements `examples.cluster.choice.Cluster` with the node of this package."""

    name = "Featx's own node"

    def up(self) -> None:
        """Start what is not running; do nothing if the cluster is up.

        Raises:
            ClusterError: if this machine lacks something, or a program does not start: the message names its log.
        """
        _require_root()
        _require_space()
        packages.install()
        binaries.build()
        with _lock():
            if not any(map(processes.running, processes.recorded())):
                _clear()
            _start()

    def down(self) -> None:
        """Stop everything and leave no process, mount, namespace, interface or cgroup; logs and cache stay."""
        _require_root()
        with _lock():
            for program in STOP_ORDER:
                processes.stop(program)
            if processes.running("containerd"):
                with contextlib.suppress(ClusterError):
                    runtime.remove_containers()
            processes.stop("containerd")
            _clear()
            kernel_settings.restore()

    def load(self, builds: Sequence[images.Build]) -> dict[str, str]:
        """Build images and load them into the node; return the name to use in a pod, which is the tag here."""
        if not processes.running("containerd"):
            raise ClusterError("the cluster is not up: run `make cluster` first")
        with _lock("images"):
            for build in builds:
                images.build(build)
                images.load(build.tag)
            image_store.prune()
            build_environment.prune_downloads()
        return {build.tag: build.tag for build in builds}

    def environment(self) -> dict[str, str]:
        """Return the variables for clients: KUBECONFIG, and a PATH with kubectl and helm of the right versions."""
        path = os.pathsep.join([*map(str, binaries.folders()), os.environ.get("PATH", "")])
        return {"KUBECONFIG": str(paths.ADMIN_KUBECONFIG), "PATH": path}

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the command line that runs a client in the cluster's network namespace.

        Run it in the root of the repository, where this package is found.
        """
        if network.is_inside():
            return list(arguments)
        return [sys.executable, "-m", "examples.cluster", "exec", "--", *arguments]


def kubectl(*arguments: str) -> str:
    """Run kubectl on our own cluster and return its output.

    Raises:
        ClusterError: if it fails, with its error output.
    """
    command = [binaries.path_of("kubectl"), f"--kubeconfig={paths.ADMIN_KUBECONFIG}", *arguments]
    with network.inside():
        outcome = subprocess.run(command, capture_output=True, text=True)
    if outcome.returncode != 0:
        raise ClusterError(f"`kubectl {' '.join(arguments)}` failed: {outcome.stderr.strip()}")
    return outcome.stdout


def _start() -> None:
    started = time.monotonic()

    def ready(program: processes.Program) -> None:
        processes.wait_until_ready(program)
        print(f"  {time.monotonic() - started:5.1f} s  {program.name}", flush=True)

    print("starting the node", flush=True)
    kernel_settings.save()
    network.create()
    cgroups.create()
    node.write_resolvers()
    certificates.make()
    containerd = runtime.containerd()
    for program in (containerd, etcd := control_plane.etcd()):
        processes.start(program)
    ready(etcd)
    processes.start(api_server := control_plane.api_server())
    ready(containerd)
    first_start = not paths.KUBELET.exists()
    if first_start and runtime.remove_containers():
        processes.stop("containerd")  # its CRI plugin remembers the containers that were just removed
        processes.start(containerd)
        ready(containerd)
    images.load_pause()
    ready(api_server)
    kubectl("apply", "--filename", str(MANIFESTS / "access.yaml"))
    others = [
        control_plane.controller_manager(),
        control_plane.scheduler(),
        node.kubelet(),
        node.kube_proxy(),
        node.coredns(),
    ]
    for program in others:
        processes.start(program)
    for program in others:
        ready(program)
    _wait_for_node()
    print(f"  {time.monotonic() - started:5.1f} s  node {certificates.NODE_NAME} is Ready", flush=True)


def _wait_for_node() -> None:
    """Wait until a pod could run: the node is Ready, and the default service account exists."""
    for subject, condition in (
        (f"node/{certificates.NODE_NAME}", "condition=Ready"),
        ("serviceaccount/default", "create"),
    ):
        try:
            kubectl("wait", f"--for={condition}", subject, f"--timeout={SECONDS_TO_READY}s")
        except ClusterError as error:
            log = paths.LOGS / "kubelet.log"
            raise ClusterError(f"{subject} is not ready; see {log} and {paths.LOGS}: {error}") from None


def _clear() -> None:
    """Remove what an earlier cluster left, even one ended by SIGKILL, with its data; logs stay."""
    with _lock("images"):  # an image that is being built has mounts too
        remove()
        for folder in (paths.RUN, paths.ETCD, paths.KUBELET, paths.POD_LOGS, paths.CNI):
            if not mounts.below([folder]):  # never delete inside a volume
                shutil.rmtree(folder, ignore_errors=True)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError("the local cluster needs root: use sudo, or set KUBECONFIG to use another cluster")


def _require_space() -> None:
    for folder in (paths.cache(), paths.DATA):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < FREE_BYTES:
            raise ClusterError(
                f"{folder}: {free >> 30} GiB free, but the node needs {FREE_BYTES >> 30} GiB or it evicts pods. "
                f"Free some space; images and downloads of earlier builds in {paths.cache()} can be deleted"
            )


@contextlib.contextmanager
def _lock(purpose: str = "cluster") -> Iterator[None]:
    """Let only one process at a time work on the cluster, or on its images."""
    folder = paths.cache() if purpose == "images" else paths.DATA  # all clusters share the images that are built
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{purpose}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that is working on the {purpose}", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
