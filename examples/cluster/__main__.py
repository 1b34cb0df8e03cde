"""Command line of the cluster: `python -m examples.cluster --help` lists the commands."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from examples.cluster import argo_cd, binaries, choice, images, kueue, network, node, paths, processes
from examples.cluster.errors import ClusterError
from examples.cluster.local import LocalCluster
from examples.cluster.remains import leftovers

USAGE = """\
{name} is up. Use it:
  python -m examples.cluster exec -- kubectl get pods -A     any command, in the cluster's network, with KUBECONFIG set
  python -m examples.cluster exec -- bash                    a shell in it
  python -m examples.cluster status | down"""


def main() -> int:
    """Run one command; return the exit code."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments) or 0)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.cluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, summary: str) -> argparse.ArgumentParser:
        subparser = commands.add_parser(name, help=summary, description=summary)
        subparser.set_defaults(run=run)
        return subparser

    command("up", _up, "start the cluster, or do nothing if it is up")
    command("down", _down, "stop the cluster and clean up")
    command("status", _status, "show what is running, and leftovers of a cluster that is not")
    execute = command("exec", _exec, "run a command in the cluster's network, with KUBECONFIG set")
    execute.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    image = command("image", _image, "build an image and load it into the node")
    image.add_argument("--tag", required=True, help="name of the image; must begin with localhost/")
    image.add_argument(
        "--file", type=Path, default=Path("Dockerfile"), help="path of the Dockerfile (default: Dockerfile)"
    )
    image.add_argument("--target", help="stage to build (default: the last)")
    image.add_argument(
        "context", type=Path, nargs="?", default=Path(), help="build context (default: the current directory)"
    )
    load = command("load-image", _load_image, "load images from archives into the node")
    load.add_argument("archives", type=Path, nargs="+", metavar="ARCHIVE")
    command("kueue", _kueue, "install Kueue in the running cluster; builds it, once, in three minutes")
    command("argo-cd", _argo_cd, "start Argo CD beside the running node; builds it, once, in ten minutes")
    command("build-base", _build_base, "build the Debian base image")
    command("build", _build, "build only the binaries")
    return parser


def _up(_: argparse.Namespace) -> None:
    started = time.monotonic()
    cluster = choice.choose()
    cluster.up()
    print(USAGE.format(name=cluster.name), f"\n({time.monotonic() - started:.1f} s)", flush=True)


def _down(_: argparse.Namespace) -> int:
    choice.choose().down()
    left = leftovers()
    for line in left:
        print(f"not cleaned up: {line}", file=sys.stderr)
    return 1 if left else 0


def _status(_: argparse.Namespace) -> int:
    names = processes.recorded()
    for name in names:
        pid = processes.running(name)
        print(f"{name:24} {'pid ' + str(pid) if pid else 'exited, log ' + str(paths.LOGS / (name + '.log'))}")
    if names:
        return 0 if all(map(processes.running, names)) else 1
    print("down")
    for line in leftovers():
        print(f"leftover: {line}")
    return 1


def _exec(arguments: argparse.Namespace) -> None:
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise ClusterError("exec needs a command, for example: exec -- kubectl get pods")
    network.enter()
    network.use_resolver(node.RESOLVER)
    environment = {**os.environ, **LocalCluster().environment()}
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        raise ClusterError(f"cannot run {command[0]}: {error.strerror}") from None


def _image(arguments: argparse.Namespace) -> None:
    build = images.Build(arguments.tag, arguments.file, arguments.context, arguments.target)
    print(choice.choose().load([build])[build.tag])


def _load_image(arguments: argparse.Namespace) -> None:
    for archive in arguments.archives:
        images.load_archive(archive)


def _kueue(_: argparse.Namespace) -> None:
    cluster, build = choice.choose(), kueue.build()
    kueue.install(cluster, cluster.load([build])[build.tag])


def _argo_cd(_: argparse.Namespace) -> None:
    argo_cd.start()


def _build_base(_: argparse.Namespace) -> None:
    images.ensure_base()


def _build(_: argparse.Namespace) -> None:
    binaries.build()


if __name__ == "__main__":
    sys.exit(main())
