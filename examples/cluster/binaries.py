"""Builds Kubernetes, etcd, CoreDNS and helm from their Go modules, once per version; others only when asked for.

The machines that run these tests can fetch Go modules, but neither release binaries nor images. Each folder below `go/`
is a module of ours that pins its programs with all dependencies. Versions are written only there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.cluster import paths
from examples.cluster.errors import ClusterError, log_tail

SOURCES = Path(__file__).parent / "go"
KUBERNETES_VERSION_VARIABLES = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Module:
    """A folder below `go/` and the programs built from it.

    Attributes:
        folder: its name.
        pinned: the module in its go.mod whose version is the programs' version.
        programs: the Go package of each program.
        version_variables: templates of the linker's `-X` values, with `{version}`, `{bare}` (the same without its v),
            `{major}` and `{minor}`.
        tags: of the build.
    """

    folder: str
    pinned: str | None
    programs: Mapping[str, str]
    version_variables: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def source(self) -> Path:
        """The folder with go.mod."""
        return SOURCES / self.folder


MODULES = (
    Module(
        "kubernetes",
        "k8s.io/kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubeadm",
                "kubectl",
            )
        },
        (
            f"{KUBERNETES_VERSION_VARIABLES}.gitVersion={{version}}",
            f"{KUBERNETES_VERSION_VARIABLES}.gitMajor={{major}}",
            f"{KUBERNETES_VERSION_VARIABLES}.gitMinor={{minor}}",
        ),
    ),
    Module("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "."}),
    Module("coredns", "github.com/coredns/coredns", {"coredns": "."}),
    Module(
        "helm",
        "helm.sh/helm/v3",
        {"helm": "helm.sh/helm/v3/cmd/helm"},
        ("helm.sh/helm/v3/internal/version.version={version}",),
    ),
    Module("pause", None, {"pause": "."}),
)
KUEUE = Module(
    "kueue",
    "sigs.k8s.io/kueue",
    {"kueue": "sigs.k8s.io/kueue/cmd/kueue"},
    ("sigs.k8s.io/kueue/pkg/version.GitVersion={version}",),
)
PROMETHEUS = Module(
    "prometheus",
    "github.com/prometheus/prometheus",
    {name: f"github.com/prometheus/prometheus/cmd/{name}" for name in ("promtool", "prometheus")},
    # Clients of a dozen clouds take longer to build than all the rest.
    tags=("remove_all_sd",),
)
ARGO_CD = Module(
    "argocd",
    "github.com/argoproj/argo-cd/v3",
    {"argocd": "github.com/argoproj/argo-cd/v3/cmd", "redis": "./redis", "verdicts": "./verdicts"},
    ("github.com/argoproj/argo-cd/v3/common.version={bare}",),
)


def version(module: Module) -> str:
    """Return the version that the module's go.mod requires, for example `v1.34.4`; `v1` for a program of our own.

    Raises:
        ClusterError: if go.mod does not require it.
    """
    if module.pinned is None:
        return "v1"
    text = (module.source / "go.mod").read_text()
    match = re.search(rf"^(?:require )?\s*{re.escape(module.pinned)} (v\S+)$", text, re.MULTILINE)
    if match is None:
        raise ClusterError(f"{module.source / 'go.mod'} does not require {module.pinned}")
    return match[1]


def version_key(module: Module) -> str:
    """Return the name of the module's build: its version, and a digest of all inputs."""
    inputs = (sorted(module.programs.items()), module.version_variables, *([module.tags] if module.tags else []))
    digest = hashlib.sha256(repr(inputs).encode())
    for path in sorted(path for path in module.source.rglob("*") if path.is_file()):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return f"{module.folder}-{version(module)}-{digest.hexdigest()[:10]}"


def folder_of(module: Module) -> Path:
    """Return the folder in the cache that holds the module's programs."""
    return paths.cache() / version_key(module) / "bin"


def folders() -> list[Path]:
    """Return the folders that PATH needs for all programs."""
    return [folder_of(module) for module in MODULES]


def path_of(program: str) -> str:
    """Return the path of a program that `build` has built."""
    for module in MODULES:
        if program in module.programs:
            return str(folder_of(module) / program)
    raise KeyError(program)


def kubernetes_version() -> str:
    """Return the version of Kubernetes."""
    return version(MODULES[0])


def missing(modules: Sequence[Module] = MODULES) -> list[tuple[Module, str]]:
    """Return the programs that are not in the cache yet, each with its module."""
    return [
        (module, program)
        for module in modules
        for program in module.programs
        if not (folder_of(module) / program).exists()
    ]


def build(modules: Sequence[Module] = MODULES, only: Collection[str] = ()) -> None:
    """Build missing programs. All of them take nine and a half minutes on two busy cores, once; Kueue three more.

    Args:
        modules: whose programs.
        only: names of the programs that are needed; all if empty.

    Raises:
        ClusterError: if Go is not installed or a build fails.
    """
    todo = [(module, program) for module, program in missing(modules) if not only or program in only]
    if todo and shutil.which("go") is None:
        raise ClusterError("building Kubernetes needs Go 1.26 or later: install it and put `go` on PATH")
    if todo:
        print(f"building {len(todo)} programs from Go modules into {paths.cache()} (once per version)", flush=True)
    for module, program in todo:
        started = time.monotonic()
        _build_program(module, program)
        print(f"  {program} {version(module)}: {time.monotonic() - started:.0f} s", flush=True)


def source_of(module: Module) -> Path:
    """Return the folder with the source of a module's programs, which is downloaded if it is missing.

    Raises:
        ClusterError: if Go is not installed or the download fails.
    """
    if shutil.which("go") is None:
        raise ClusterError(f"the source of {module.pinned} is a Go module: install Go 1.26 or later, with `go` on PATH")
    command = ["go", "mod", "download", "-json", str(module.pinned)]
    environment = {**os.environ, "GOWORK": "off"}
    outcome = subprocess.run(command, cwd=module.source, capture_output=True, text=True, env=environment)
    if outcome.returncode != 0:
        raise ClusterError(f"`{' '.join(command)}` failed: {outcome.stdout.strip()} {outcome.stderr.strip()}")
    return Path(json.loads(outcome.stdout)["Dir"])


def linker_flags(module: Module) -> str:
    """Return -ldflags for `go build`: no debug tables, and the version that the program reports."""
    number = version(module)
    major, minor = number.removeprefix("v").split(".")[:2] if module.pinned else ("1", "0")
    parts = {"version": number, "bare": number.removeprefix("v"), "major": major, "minor": minor}
    values = (template.format(**parts) for template in module.version_variables)
    return " ".join(["-s", "-w", *(f"-X {value}" for value in values)])


def _build_program(module: Module, program: str) -> None:
    target = folder_of(module) / program
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    log = target.with_suffix(".log")
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linker_flags(module)]
    command += [f"-tags={','.join(module.tags)}"] if module.tags else []
    with log.open("wb") as output:
        outcome = subprocess.run(
            [*command, "-o", str(partial), module.programs[program]],
            cwd=module.source,
            # Static binaries need no C compiler here, and `pause` runs in an image that contains nothing else.
            env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if outcome.returncode != 0:
        raise ClusterError(f"building {program} failed; the log {log} ends with:\n{log_tail(log)}")
    partial.rename(target)
    log.unlink()
