"""Builds the Java part, which executors run, once per state of its source.

In the job image, Maven runs while the image is built, and FEATX_JARS says where the jars are. In a checkout,
`featx run` and the tests need the same jars. They are built on first use and stored in the user's cache by a digest of
the source, so that a change is never run with old jars and an unchanged source is never built twice. The
class-data-sharing archive, with which JVMs start faster, lies beside them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from featx_api.contract import FEATX_JARS
from featx_job.environment import Environment
from featx_job.spark import class_path
from platformdirs import user_cache_path

from featx_cli.errors import CommandError

SECONDS_TO_END = 10
UNUSED_SECONDS = 7 * 24 * 3600
JAVA_SOURCE = Path(__file__).resolve().parent.parent / "java"


def cache_folder() -> Path:
    """Featx's folder in the user's cache."""
    return user_cache_path("featx")


def uv() -> str:
    """The path of uv: that on PATH, or else that of this Python environment."""
    return shutil.which("uv") or str(Path(sys.executable).with_name("uv"))


def jars() -> Path:
    """The folder of the jars that executors need. Builds them first if this source was never built.

    Raises:
        CommandError: Neither the source nor FEATX_JARS is there, Java or Maven is missing, or the build fails.
    """
    if given := os.environ.get(FEATX_JARS):
        return Path(given)
    if not (JAVA_SOURCE / "pom.xml").exists():
        raise CommandError(f"no Java source is installed: set {FEATX_JARS} to the folder of the job image's jars")
    built = cache_folder() / "engine" / _digest(JAVA_SOURCE)
    if not (built.exists() and _archive(built).exists()):
        with _lock(built):
            if not built.exists():
                _build(built)
                _clean_up(built.parent)
            if not _archive(built).exists():
                _build_class_archive(built)
    for path in [built, *built.glob(f"{_archive(built).stem}.*")]:
        os.utime(path)
    return built


@contextmanager
def _lock(built: Path) -> Iterator[None]:
    """Lets one process build, and the others that need the same build wait for it."""
    built.parent.mkdir(parents=True, exist_ok=True)
    with built.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("waiting for another process that is building the Java part\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _archive(built: Path) -> Path:
    return class_path.archive(Environment(jars=built, work=built))


def _build_class_archive(built: Path) -> None:
    sys.stderr.write("building the class-data-sharing archive (once, ~30 s)\n")
    command = [sys.executable, "-m", "featx_job.build_class_archive", str(built)]
    code, output = _run(command)
    if code:
        raise CommandError(f"the class-data-sharing archive could not be built:\n{output[-4000:]}")


def _run(command: list[str]) -> tuple[int, str]:
    """Runs a program and returns its exit code and output. If it is interrupted, so is the program, which then ends."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=SECONDS_TO_END)
            process.kill()
            raise
    return process.returncode, output


def _clean_up(folder: Path) -> None:
    """Removes builds, and archives of environments, that were not used for a week."""
    for path in [*folder.glob("*/classes-*.*"), *folder.glob("*/"), *folder.glob("*.lock")]:
        if path.stat().st_mtime < time.time() - UNUSED_SECONDS:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _digest(source: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in [source / "pom.xml", *(source / "src").rglob("*")] if path.is_file()):
        digest.update(str(path.relative_to(source)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _build(built: Path) -> None:
    for tool, package in (("javac", "openjdk-17-jdk-headless"), ("mvn", "maven")):
        if not shutil.which(tool):
            raise CommandError(f"{tool} is not on PATH: install it first, on Debian with `apt-get install {package}`")
    sys.stderr.write("building the Java part with Maven (once, ~1 min)\n")
    site = sysconfig.get_paths()["purelib"]
    with tempfile.TemporaryDirectory(dir=built.parent) as folder:
        source, target = Path(folder) / "java", Path(folder) / "jars"
        shutil.copytree(JAVA_SOURCE, source, ignore=shutil.ignore_patterns("target"))
        command = ["mvn", "--quiet", "--batch-mode", "-f", str(source / "pom.xml"), f"-Dfeatx.site={site}"]
        code, output = _run([*command, "-DskipTests", "package"])
        if code:
            raise CommandError(f"Maven failed:\n{output[-4000:]}")
        target.mkdir()
        for jar in [*(source / "target").glob("*.jar"), *(source / "target" / "dependency").glob("*.jar")]:
            shutil.copy2(jar, target)
        shutil.copy2(source / "src" / "main" / "jvm" / class_path.DIRECTIVES, target)
        target.rename(built)


if __name__ == "__main__":
    try:
        print(jars())
    except CommandError as error:
        sys.exit(f"error: {error}")
