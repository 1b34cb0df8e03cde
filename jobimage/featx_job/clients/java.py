"""Access to the driver's JVM; the only file that uses PySpark's private attributes.

`CHECKED` is the PySpark version whose private attributes were read; a test compares it with the one that is installed.
All that talk to Java share one JVM: a Spark context that starts later runs in it too.
"""

from __future__ import annotations

import locale
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext

CHECKED = "3.5.9"

# Spark's UI listens on SPARK_LOCAL_IP and has no setting of its own. Driver and executors find each other by
# spark.driver.host and spark.driver.bindAddress, which take precedence everywhere else.
LOOPBACK = "127.0.0.1"
# Java encodes the names of files by the locale. In POSIX's, which cron and containers have, it only has names in ASCII.
LOCALE = "C.UTF-8"
LEAST_TICKS = 10  # of CPU time, by which a process works

LOG = logging.getLogger(__name__)


def start(settings: Mapping[str, str]) -> None:
    """Start the JVM, unless it runs already.

    Args:
        settings: Spark's settings, which include the JVM's options.

    Raises:
        RuntimeError: The JVM does not start.
    """
    _prepare_environment()
    SparkContext._ensure_initialized(conf=spark_conf(settings))


def start_spark(settings: Mapping[str, str]) -> SparkContext:
    """Start Spark, and the JVM unless it runs already.

    Args:
        settings: Spark's settings.

    Raises:
        RuntimeError: The JVM does not start.
        py4j.protocol.Py4JError: Spark does not start.
    """
    _prepare_environment()
    handler = signal.getsignal(signal.SIGINT)
    context = SparkContext(conf=spark_conf(settings))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)  # PySpark's own calls a context that may be gone
    return context


def _prepare_environment() -> None:
    """Set the variables that the JVM is to inherit."""
    os.environ["SPARK_LOCAL_IP"] = LOOPBACK
    if not is_running() and locale.getencoding().upper() not in ("UTF-8", "UTF8"):
        os.environ["LC_ALL"] = LOCALE


def is_running() -> bool:
    """Return whether the JVM was started."""
    return SparkContext._gateway is not None


def packages() -> Any:
    """Return the package dev.featx of the running JVM."""
    jvm: Any = SparkContext._jvm
    return jvm.dev.featx


def context(spark: SparkContext) -> Any:
    """Return the JavaSparkContext of a Spark context."""
    return spark._jsc


def stop(seconds: float) -> None:
    """Stop the JVM and wait until it has ended; it writes its class archive at the end.

    Args:
        seconds: How long it may do nothing. On a busy machine it may take any time as long as it works.

    Raises:
        subprocess.TimeoutExpired: It did nothing for so long, and has not ended.
    """
    gateway: Any = SparkContext._gateway
    gateway.proc.stdin.close()
    wait_while_working(gateway.proc, seconds)


def wait_while_working(process: subprocess.Popen[Any], seconds: float) -> None:
    """Wait until a process has ended; see `stop`."""
    while True:
        before = _cpu_ticks(process.pid)
        try:
            process.wait(seconds)
            return
        except subprocess.TimeoutExpired:
            if _cpu_ticks(process.pid) - before < LEAST_TICKS:
                raise
            LOG.info("process %d is still working; waiting for its end", process.pid)


def _cpu_ticks(pid: int) -> int:
    """Return the CPU time that a process has taken, in hundredths of a second; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def spark_conf(settings: Mapping[str, str]) -> SparkConf:
    """Return settings as Spark takes them, without the defaults of the machine."""
    return SparkConf(loadDefaults=False).setAll(list(settings.items()))
