"""Access to the driver's JVM; the only file that uses PySpark's private attributes.

`CHECKED` is the PySpark version whose private attributes were read; a test compares it with the one that is installed.
All that talk to Java share one JVM: a Spark context that starts later runs in it too.
"""

from __future__ import annotations

import locale
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.find_spark_home import _find_spark_home

from featx_job.clients.java_process import JavaProcess

CHECKED = "3.5.9"

# Spark's UI listens on SPARK_LOCAL_IP and has no setting of its own. Driver and executors find each other by
# spark.driver.host and spark.driver.bindAddress, which take precedence everywhere else.
LOOPBACK = "127.0.0.1"
# Java encodes the names of files by the locale. In POSIX's, which cron and containers have, it only has names in ASCII.
LOCALE = "C.UTF-8"
# With these PySpark connects to a JVM instead of launching one.
PORT, SECRET = "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"

_process: JavaProcess | None = None
_starting = threading.Lock()


def start(settings: Mapping[str, str]) -> None:
    """Start the JVM, unless it runs already.

    Args:
        settings: Spark's settings, which include the JVM's options.

    Raises:
        RuntimeError: The JVM does not start.
    """
    global _process
    with _starting:
        _prepare_environment()
        if is_running():
            return
        _process = JavaProcess(_command(settings))
        gateway = _process.gateway()
        os.environ |= {PORT: str(gateway.port), SECRET: gateway.secret}
        try:
            SparkContext._ensure_initialized()
        finally:
            del os.environ[PORT], os.environ[SECRET]


def _command(settings: Mapping[str, str]) -> list[str]:
    """Return what starts a JVM that PySpark can connect to."""
    options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    home: str = _find_spark_home()  # type: ignore[no-untyped-call]
    return [str(Path(home) / "bin" / "spark-submit"), *options, "pyspark-shell"]


def start_spark(settings: Mapping[str, str]) -> SparkContext:
    """Start Spark, and the JVM unless it runs already.

    Args:
        settings: Spark's settings.

    Raises:
        RuntimeError: The JVM does not start.
        py4j.protocol.Py4JError: Spark does not start.
    """
    start(settings)
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
    if _process:
        _process.stop(seconds)


def spark_conf(settings: Mapping[str, str]) -> SparkConf:
    """Return settings as Spark takes them, without the defaults of the machine."""
    return SparkConf(loadDefaults=False).setAll(list(settings.items()))
