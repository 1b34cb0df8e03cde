"""A real S3 server on loopback: SeaweedFS, from the Python package that ships its binary."""

from __future__ import annotations

import io
import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3
from minio import Minio

ADMIN = ("tests", "secret-of-tests-4711")
READER = ("reader", "secret-of-reader-4711")
START_TIMEOUT = 60.0


class Authority:
    """A private CA, created with openssl: an untrusted root, and a server certificate for loopback."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.server_certificate, self.server_key = (
            folder / name for name in ("ca.crt", "server.crt", "server.key")
        )
        own = ("-x509", "-days", "2", "-subj", "/CN=tests", "-keyout", str(folder / "ca.key"), "-out")
        _openssl("req", *own, str(self.certificate))
        request = folder / "server.csr"
        _openssl("req", "-subj", "/CN=store", "-keyout", str(self.server_key), "-out", str(request))
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
        signing = ("-CA", str(self.certificate), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", "2")
        written = ("-extfile", str(folder / "names"), "-in", str(request), "-out", str(self.server_certificate))
        subprocess.run(["openssl", "x509", "-req", *signing, *written], check=True, capture_output=True)


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments, "-newkey", "rsa:2048", "-nodes"], check=True, capture_output=True)


class Store:
    """A running server and an admin client for it."""

    def __init__(self, endpoint: str, command: list[str], folder: Path, signed_by: Authority | None) -> None:
        self.endpoint, self._command, self._folder = endpoint, command, folder
        scheme, _, host = endpoint.partition("://")
        self.http = urllib3.PoolManager(ca_certs=str(signed_by.certificate) if signed_by else None)
        self.client = Minio(
            host,
            access_key=ADMIN[0],
            secret_key=ADMIN[1],
            secure=scheme == "https",
            region="us-east-1",
            http_client=self.http,
        )
        self.start()

    def start(self) -> None:
        """Starts the server on its existing data and waits until it accepts writes."""
        log = self._folder / "weed.log"
        with log.open("ab") as stream:
            self._process = subprocess.Popen(self._command, stdout=stream, stderr=subprocess.STDOUT, cwd=self._folder)
        _wait(self._process, self, log)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal. SIGSTOP, then SIGCONT, makes the server unresponsive for a while, like a network outage."""
        self._process.send_signal(number)

    def put(self, bucket: str, objects: dict[str, bytes]) -> None:
        """Stores objects by key, creating the bucket if necessary."""
        if not self.client.bucket_exists(bucket):
            self.client.make_bucket(bucket)
        for key, data in objects.items():
            self.client.put_object(bucket, key, io.BytesIO(data), len(data))

    def copy_folder(self, folder: Path, bucket: str) -> None:
        """Copies a folder into a bucket with the server's own tool, ten times as fast as a client."""
        (port,) = (word.split("=")[1] for word in self._command if word.startswith("-filer.port"))
        target = f"http://127.0.0.1:{port}/buckets/{bucket}/"
        command = [self._command[0], "filer.copy", "-c", "16", str(folder), target]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder)

    def kill(self) -> None:
        """Kills the server, as a power failure would."""
        _kill(self._process)

    def keys(self, bucket: str, prefix: str) -> list[str]:
        return sorted(str(item.object_name) for item in self.client.list_objects(bucket, prefix, recursive=True))

    def get(self, bucket: str, key: str) -> bytes:
        with self.client.get_object(bucket, key) as response:
            return bytes(response.read())


def free_ports(count: int) -> list[int]:
    """Unused ports on loopback. weed adds 10000 for gRPC, so they are below 22000.

    They are random, because tests running in parallel would otherwise all pick the same first free ports.
    """
    ports: list[int] = []
    for port in random.sample(range(18400, 22000), 500):
        if len(ports) == count:
            return ports
        with socket.socket() as plain, socket.socket() as grpc:
            try:
                plain.bind(("127.0.0.1", port))
                grpc.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
            ports.append(port)
    raise RuntimeError("no free ports between 18400 and 22000")


@contextmanager
def running(folder: Path, signed_by: Authority | None = None) -> Iterator[Store]:
    """Runs a server until the block ends, then kills it: its data is disposable.

    Args:
        folder: Its data directory.
        signed_by: CA of its certificate; the server speaks HTTPS if given.
    """
    master, volume, filer, s3 = free_ports(4)
    identities = [
        {"name": "tests", "credentials": [_key(ADMIN)], "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
        {"name": "reader", "credentials": [_key(READER)], "actions": ["Read", "List"]},
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir()
    command = [
        str(Path(sys.executable).with_name("weed")),
        "server",
        "-filer",
        "-s3",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-master.port={master}",
        f"-volume.port={volume}",
        f"-filer.port={filer}",
        f"-s3.port={s3}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.config={folder / 's3.json'}",
        "-s3.autoCreateBucket=false",
        f"-dir={folder / 'data'}",
        "-master.electionTimeout=1s",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=1000",  # every bucket takes some, and which test files share a server is random
    ]
    if signed_by is not None:
        command += [f"-s3.cert.file={signed_by.server_certificate}", f"-s3.key.file={signed_by.server_key}"]
    store = Store(f"{'https' if signed_by else 'http'}://127.0.0.1:{s3}", command, folder, signed_by)
    try:
        yield store
    finally:
        store.kill()


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def _key(pair: tuple[str, str]) -> dict[str, str]:
    return {"accessKey": pair[0], "secretKey": pair[1]}


def _wait(process: subprocess.Popen[bytes], store: Store, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            response = store.http.request("GET", f"{store.endpoint}/healthz", timeout=2, retries=False)
            if response.status == 200:
                # S3 responds before there is a volume server to store anything.
                store.put("ready", {"ready": b"ready"})
                return
            problem = f"/healthz returned {response.status}"
        except Exception as error:  # whatever it is, retry until the deadline
            problem = repr(error)
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"SeaweedFS did not start ({problem}): {log.read_text()[-2000:]}")
        time.sleep(0.1)
