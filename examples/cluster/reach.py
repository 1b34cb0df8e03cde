"""Reaches a Service of the cluster from a client: by its name where that resolves, else through a port-forward."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from examples.cluster.errors import ClusterError


@contextmanager
def reachable(namespace: str, service: str, port: int) -> Iterator[str]:
    """Yields `host:port` of a Service as this process can reach it, while the block runs.

    Raises:
        ClusterError: kubectl can't forward to it.
    """
    name = f"{service}.{namespace}.svc"
    try:
        socket.getaddrinfo(name, port)
    except socket.gaierror:
        with _forwarded(namespace, service, port) as address:
            yield address
    else:
        yield f"{name}:{port}"


@contextmanager
def _forwarded(namespace: str, service: str, port: int) -> Iterator[str]:
    command = ["kubectl", "--namespace", namespace, "port-forward", f"service/{service}", f":{port}"]
    forward = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert forward.stdout is not None
        said = forward.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", said)
        if not found:
            raise ClusterError(f"`{' '.join(command)}` failed")
        yield f"127.0.0.1:{found.group(1)}"
    finally:
        forward.terminate()
        forward.wait()
