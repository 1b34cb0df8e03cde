"""Builds the Java part that executors run, once for each state of its source.

In the job image Maven runs while the image is built and FEATX_JARS says where the jars are. In a checkout, `featx run`
and the tests need the same jars: they are built on first use and kept in the user's cache folder, keyed by a digest of
the source, so that a change is never met with old jars and a second run pays nothing; so is the archive of classes with
which their JVMs start faster.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from featx_api.contract import FEATX_JARS
from featx_job.environment import Environment
from featx_job.spark import class_path

from featx_cli.errors import CommandError

UNUSED_SECONDS = 7 * 24 * 3600
JAVA_SOURCE = Path(__file__).resolve().parent.parent / "java"


def cache_folder() -> Path:
    """Returns Featx's folder in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "featx"


def uv() -> str:
    """Returns the uv to call: that on PATH, or else the one that `make` installed into the cache."""
    return shutil.which("uv") or str(cache_folder() / "uv" / "bin" / "uv")


def jars() -> Path:
    """Returns the folder of the jars that executors need, building them first if this source was never built.

    Raises:
        CommandError: No source and no FEATX_JARS, no Java or Maven, or the build fails.
    """
    if given := os.environ.get(FEATX_JARS):
        return Path(given)
    if not (JAVA_SOURCE / "pom.xml").exists():
        raise CommandError(f"the Java part is not here: set {FEATX_JARS} to the folder of the job image's jars")
    built = cache_folder() / "engine" / _digest(JAVA_SOURCE)
    built.parent.mkdir(parents=True, exist_ok=True)
    with (built.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one build is enough for all who wait for it
        if not built.exists():
            _build(built)
            _forget(built.parent)
        _archive(built)
        os.utime(built)
    return built


def _archive(built: Path) -> None:
    """Makes the archive of classes of this environment, with which JVMs start faster."""
    archive = class_path.archive(Environment(jars=built, work=built))
    if not archive.exists():
        sys.stderr.write("showing Java its classes (once, about half a minute) …\n")
        command = [sys.executable, "-m", "featx_job.build_class_archive", str(built)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            raise CommandError(f"the class archive could not be made:\n{(outcome.stdout + outcome.stderr)[-4000:]}")
    for each in built.glob(f"{archive.stem}.*"):
        os.utime(each)


def _forget(folder: Path) -> None:
    """Removes what nobody has asked for in a week: builds, and archives of environments that may be gone."""
    for each in [*folder.glob("*/classes-*.*"), *folder.glob("*/")]:
        if each.stat().st_mtime < time.time() - UNUSED_SECONDS:
            shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink()


def _digest(source: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in [source / "pom.xml", *(source / "src").rglob("*")] if path.is_file()):
        digest.update(str(path.relative_to(source)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _build(built: Path) -> None:
    for tool, package in (("javac", "openjdk-17-jdk-headless"), ("mvn", "maven")):
        if not shutil.which(tool):
            raise CommandError(f"{tool} is not on PATH: install it first, on Debian with `apt-get install {package}`")
    sys.stderr.write("building the Java part with Maven (once, about a minute) …\n")
    site = sysconfig.get_paths()["purelib"]
    with tempfile.TemporaryDirectory(dir=built.parent) as folder:
        source, target = Path(folder) / "java", Path(folder) / "jars"
        shutil.copytree(JAVA_SOURCE, source, ignore=shutil.ignore_patterns("target"))
        command = ["mvn", "--quiet", "--batch-mode", "-f", str(source / "pom.xml"), f"-Dfeatx.site={site}"]
        outcome = subprocess.run([*command, "-DskipTests", "package"], capture_output=True, text=True, check=False)
        if outcome.returncode:
            raise CommandError(f"Maven failed:\n{(outcome.stdout + outcome.stderr)[-4000:]}")
        target.mkdir()
        for jar in [*(source / "target").glob("*.jar"), *(source / "target" / "dependency").glob("*.jar")]:
            shutil.copy2(jar, target)
        target.rename(built)


if __name__ == "__main__":
    try:
        print(jars())
    except CommandError as error:
        sys.exit(f"error: {error}")
