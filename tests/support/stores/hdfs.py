"""A real HDFS: NameNode and DataNode in one process, and a WebHDFS client."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3
from py4j.java_gateway import JavaGateway

from tests.support.stores.java import Server, class_path, free_ports, gateway, test_jars
from tests.support.stores.kerberos import SERVICES, Kdc

# WebHDFS generates classes in a way that is closed since Java 17.
FLAGS = ("-Djava.net.preferIPv4Stack=true", "--add-opens=java.base/java.lang=ALL-UNNAMED")


class Hdfs:
    """A running HDFS."""

    def __init__(self, folder: Path, kdc: Kdc | None = None) -> None:
        self.port, self._http = free_ports(2)
        self._kdc = kdc
        self.uri = f"hdfs://127.0.0.1:{self.port}"
        self._folder = folder
        self._started = folder / "started.xml"  # written once a DataNode has joined
        self.server = Server(self._command("-format"), folder, self._is_ready)

    def restart(self) -> None:
        """Restarts the server on its existing files."""
        self.server = Server(self._command(), self._folder, self._is_ready)

    def _command(self, *options: str) -> list[str]:
        ports = ["-nnport", str(self.port), "-httpport", str(self._http), "-datanodes", "1"]
        settings = ["dfs.replication=1", "dfs.namenode.safemode.extension=0", "dfs.namenode.fs-limits.min-block-size=0"]
        # How long WebHDFS waits before it polls for a file's last block: 0.4 s per file by default.
        settings.append("dfs.client.block.write.locateFollowingBlock.initial.delay.ms=5")
        secured = self._kdc.hdfs_settings() if self._kdc else {}
        settings += [f"{name}={value}" for name, value in secured.items()]
        flags = [*FLAGS, *([self._kdc.option] if self._kdc else [])]
        program = [*("java", "-Xmx512m", *flags, "-cp", class_path(test_jars() / "*"))]
        program.append("org.apache.hadoop.test.MiniDFSClusterManager")
        self._started.unlink(missing_ok=True)
        ports += ["-writeConfig", str(self._started)]
        return [*program, *ports, *options, *(part for setting in settings for part in ("-D", setting))]

    def _is_ready(self) -> bool:
        if self._kdc is not None:  # its web pages require a login, which this client lacks
            return self._started.exists()
        try:
            self.put("/ready", b"ready")
        except (urllib3.exceptions.HTTPError, RuntimeError):
            return False
        return True

    def put(self, path: str, data: bytes) -> None:
        """Writes a file."""
        location = self._call("PUT", path, "CREATE", overwrite="true", noredirect="true")
        response = urllib3.request("PUT", location["Location"], body=data, timeout=10, retries=False)
        if response.status != 201:
            raise RuntimeError(f"{path}: {response.status} {response.data.decode()} ({location['Location']})")

    def get(self, path: str) -> bytes:
        """A file's content."""
        location = self._call("GET", path, "OPEN", noredirect="true")
        return urllib3.request("GET", location["Location"], timeout=10).data

    def replica(self, data: bytes) -> Path:
        """The file in which a DataNode stores a block with this content."""
        (found,) = [
            path for path in self._folder.rglob("blk_*") if path.suffix != ".meta" and path.read_bytes() == data
        ]
        return found

    def files(self, path: str) -> list[str]:
        """The paths of all files below a folder."""
        paths: list[str] = []
        for entry in self._call("GET", path, "LISTSTATUS")["FileStatuses"]["FileStatus"]:
            inner = f"{path.rstrip('/')}/{entry['pathSuffix']}"
            paths += self.files(inner) if entry["type"] == "DIRECTORY" else [inner]
        return paths

    def permit(self, path: str, permission: str) -> None:
        """Sets a file's permission, in octal."""
        self._call("PUT", path, "SETPERMISSION", permission=permission)

    def forbid(self, path: str) -> None:
        """Creates a folder that only superusers may change."""
        self._call("PUT", path, "MKDIRS", permission="555")

    def _call(self, method: str, path: str, operation: str, **options: str) -> dict[str, Any]:
        fields = {"op": operation, "user.name": getpass.getuser(), **options}
        url = f"http://127.0.0.1:{self._http}/webhdfs/v1{quote(path)}"
        response = urllib3.request(
            method, url + "?" + "&".join(f"{key}={value}" for key, value in fields.items()), timeout=10, retries=False
        )
        if response.status >= 400:
            raise RuntimeError(f"{method} {url}: {response.status} {response.data.decode()}")
        return dict(json.loads(response.data or b"{}"))


class Client:
    """Hadoop's own client, in a separate JVM."""

    def __init__(self, uri: str, started: JavaGateway, kdc: Kdc | None) -> None:
        self._hadoop: Any = started.jvm.org.apache.hadoop
        conf = self._hadoop.conf.Configuration()
        if kdc is not None:
            for name, value in kdc.hdfs_settings().items():
                conf.set(name, value)
            kdc.login(started, conf, SERVICES["hdfs"])
        # How often it polls for a file's last block; by default small files take 0.4 s each.
        conf.set("dfs.client.block.write.locateFollowingBlock.initial.delay.ms", "5")
        self._files = self._hadoop.fs.FileSystem.get(started.jvm.java.net.URI(uri), conf)

    def write(self, folder: str, files: Iterable[tuple[str, bytes]]) -> None:
        """Writes files into a folder."""
        for name, data in files:
            stream = self._files.create(self._hadoop.fs.Path(f"{folder}/{name}"), True)
            stream.write(bytearray(data))
            stream.close()

    def open_to_all(self, folder: str) -> None:
        """Creates a folder that everybody may change."""
        permission = self._hadoop.fs.permission.FsPermission("777")
        self._files.mkdirs(self._hadoop.fs.Path(folder))
        self._files.setPermission(self._hadoop.fs.Path(folder), permission)

    def names(self, folder: str) -> list[str]:
        """The names of a folder's files."""
        return sorted(
            str(status.getPath().getName()) for status in self._files.listStatus(self._hadoop.fs.Path(folder))
        )

    def owner(self, path: str) -> str:
        """The owner of a file."""
        return str(self._files.getFileStatus(self._hadoop.fs.Path(path)).getOwner())

    def read(self, folder: str) -> int:
        """Reads all files of a folder inside the client's JVM; returns the number of bytes."""
        total = 0
        for status in self._files.listStatus(self._hadoop.fs.Path(folder)):
            stream = self._files.open(status.getPath())
            total += self._drained(stream, status.getLen())
            stream.close()
        return total

    def _drained(self, stream: Any, length: int) -> int:
        output = self._hadoop.io.DataOutputBuffer(length)
        self._hadoop.io.IOUtils.copyBytes(stream, output, 65536)
        return int(output.getLength())


@contextmanager
def client(server: Hdfs, kdc: Kdc | None = None) -> Iterator[Client]:
    """Runs a client's JVM until the block ends."""
    with gateway(*([kdc.option] if kdc else [])) as started:
        yield Client(server.uri, started, kdc)


@contextmanager
def running(folder: Path, kdc: Kdc | None = None) -> Iterator[Hdfs]:
    """Runs HDFS until the block ends, then kills it: its files are disposable.

    Args:
        folder: Its data directory.
        kdc: Secures the server with Kerberos, if given.
    """
    started = Hdfs(folder, kdc)
    try:
        yield started
    finally:
        started.server.kill()
