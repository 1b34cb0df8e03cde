"""What Argo CD, kstatus and Flux say of a resource, by a program that is built from their code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from examples.cluster import binaries

ROOT = Path(__file__).resolve().parents[2]
CUSTOMIZATIONS = ROOT / "examples/gitops/argo-cd/resource_customizations"
KUSTOMIZATION = ROOT / "examples/gitops/flux/team.yaml"


@dataclass(frozen=True)
class Verdict:
    """What the tools say.

    Attributes:
        health: Argo CD's.
        message: Argo CD's.
        actions: Those that Argo CD offers.
        kstatus: Of kstatus alone.
        flux: With the expressions of the Kustomization.
        error: The first error of a tool.
    """

    health: str = ""
    message: str = ""
    actions: list[str] | None = field(default_factory=list)
    kstatus: str = ""
    flux: str = ""
    error: str = ""


class Judge:
    """The running program."""

    def __init__(self) -> None:
        binaries.build([binaries.ARGO_CD], only={"verdicts"})
        command = [str(binaries.folder_of(binaries.ARGO_CD) / "verdicts"), str(CUSTOMIZATIONS), str(KUSTOMIZATION)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def verdict(self, resource: Mapping[str, Any]) -> Verdict:
        """What the tools say of a resource."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(resource) + "\n")
        self._process.stdin.flush()
        return Verdict(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """Ends the program."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)
