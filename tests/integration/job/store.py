"""A real S3 server on loopback: SeaweedFS, from the package that carries its binary."""

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
PATIENCE = 60.0


class Authority:
    """Signs certificates that nobody trusts by itself: its own, and one of a server on loopback, made by openssl."""

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
    """A running server, and a client of it that may do everything."""

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
        """Starts the server, with what it has stored, and waits until it stores."""
        log = self._folder / "weed.log"
        with log.open("ab") as stream:
            self._process = subprocess.Popen(self._command, stdout=stream, stderr=subprocess.STDOUT, cwd=self._folder)
        _wait(self._process, self, log)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal: SIGSTOP and SIGCONT make it deaf for a while, as a network that is cut does."""
        self._process.send_signal(number)

    def put(self, bucket: str, objects: dict[str, bytes]) -> None:
        """Stores objects by key, in a bucket that is made if need be."""
        if not self.client.bucket_exists(bucket):
            self.client.make_bucket(bucket)
        for key, data in objects.items():
            self.client.put_object(bucket, key, io.BytesIO(data), len(data))

    def copy_folder(self, folder: Path, bucket: str) -> None:
        """Puts a folder into a bucket by the server's own tool, which is ten times as fast as a client."""
        (port,) = (word.split("=")[1] for word in self._command if word.startswith("-filer.port"))
        where = f"http://127.0.0.1:{port}/buckets/{bucket}/"
        command = [self._command[0], "filer.copy", "-c", "16", str(folder), where]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder)

    def kill(self) -> None:
        """Ends the server as a power cut would."""
        _kill(self._process)

    def keys(self, bucket: str, prefix: str) -> list[str]:
        return sorted(str(each.object_name) for each in self.client.list_objects(bucket, prefix, recursive=True))

    def get(self, bucket: str, key: str) -> bytes:
        with self.client.get_object(bucket, key) as response:
            return bytes(response.read())


def free_ports(count: int) -> list[int]:
    """Returns ports of loopback that nobody listens on; weed adds 10000 for gRPC, so they are below 22000.

    They are drawn, since tests that run side by side would all find the first ones free.
    """
    found: list[int] = []
    for port in random.sample(range(18400, 22000), 500):
        if len(found) == count:
            return found
        with socket.socket() as plain, socket.socket() as grpc:
            try:
                plain.bind(("127.0.0.1", port))
                grpc.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
            found.append(port)
    raise RuntimeError("no free ports between 18400 and 22000")


@contextmanager
def running(folder: Path, signed_by: Authority | None = None) -> Iterator[Store]:
    """Starts the server with its data below a folder, waits until it stores, and kills it: nothing is worth keeping.

    Args:
        folder: For its data.
        signed_by: Has signed its certificate; it speaks HTTPS then.
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
        "-volume.max=1000",  # each bucket takes some, and which files of tests share a server is chance
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
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answer = store.http.request("GET", f"{store.endpoint}/healthz", timeout=2, retries=False)
            if answer.status == 200:
                # S3 answers before there is a volume server to store anything on.
                store.put("ready", {"ready": b"ready"})
                return
            problem = f"/healthz says {answer.status}"
        except Exception as error:  # whatever it is, it is asked again until the deadline
            problem = repr(error)
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"SeaweedFS does not serve ({problem}): {log.read_text()[-2000:]}")
        time.sleep(0.1)
