"""Reaches a Service of the cluster from a client: by name if that resolves, otherwise through a port-forward."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from examples.cluster.errors import ClusterError


@contextmanager
def reachable(namespace: str, service: str, port: int) -> Iterator[str]:
    """Yield an address, `host:port`, at which this process reaches a Service while the block runs.

    Raises:
        ClusterError: kubectl cannot forward to it.
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
        line = forward.stdout.readline()
        match = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not match:
            raise ClusterError(f"`{' '.join(command)}` failed")
        yield f"127.0.0.1:{match.group(1)}"
    finally:
        forward.terminate()
        forward.wait()
