"""Java's classes as a run's JVMs find them, and what was laid beside them so that JVMs start faster.

A JVM reads, checks and links some fifteen thousand classes before it has computed anything. Java maps them instead
from an archive, if it was shown them once (class data sharing, JEP 350; `class_archive` does). An archive fits one
class path, jar by jar: so jars are named in an order that is the same everywhere; jobimage/executor.sh names the same.

An engine takes seconds for its first net, whatever that is. So there is a small one, for the time in which a JVM waits
for its run's (dev.featx.nets.loading.Preparation).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from featx_job.environment import Environment


def jars(environment: Environment) -> list[Path]:
    """Returns the class path of driver and executors: Featx's jars, then BigDL's and Spark's."""
    site = environment.site
    bigdl = (site / "bigdl" / "share" / part / "lib" for part in ("dllib", "core"))
    folders = [environment.jars, *bigdl, site / "pyspark" / "jars"]
    return [jar for folder in folders for jar in sorted(folder.glob("*.jar"))]


def path(environment: Environment) -> str:
    """Returns the class path as Java takes it."""
    return ":".join(map(str, jars(environment)))


def archive(environment: Environment) -> Path:
    """Returns where the archive of these jars is, or would be; Java knows jars by path, size and time."""
    facts = [(str(jar), jar.stat().st_size, int(jar.stat().st_mtime)) for jar in jars(environment)]
    return environment.jars / f"classes-{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}.jsa"


def options(environment: Environment) -> tuple[str, ...]:
    """Returns a JVM's options on the archive: to make one, or to use it; that it does not fit is no warning."""
    if environment.new_archive:
        return (f"-XX:ArchiveClassesAtExit={environment.new_archive}",)
    known = archive(environment)
    return (f"-XX:SharedArchiveFile={known}", "-Xlog:cds=off", "-Xlog:class+path=off") if known.exists() else ()


def first_net(environment: Environment, engine: str) -> Path:
    """Returns where the small network file of an engine is, or would be."""
    return archive(environment).with_suffix(f".{engine}")


def preparation(environment: Environment, engine: str, cores: int, streams: int) -> str | None:
    """The option that prepares a JVM's engine (dev.featx.nets.loading.Preparation), or None without a small net."""
    net = first_net(environment, engine)
    return f"{engine},{cores},{streams},{net}" if net.exists() else None
