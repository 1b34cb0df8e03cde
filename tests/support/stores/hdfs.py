"""A real HDFS: NameNode and DataNode in one process, and a client by WebHDFS."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
from py4j.java_gateway import JavaGateway

from tests.support.stores.java import Server, class_path, free_ports, gateway, test_jars
from tests.support.stores.kerberos import SERVICES, Kdc

# WebHDFS makes classes in a way that is closed since Java 17.
FLAGS = ("-Djava.net.preferIPv4Stack=true", "--add-opens=java.base/java.lang=ALL-UNNAMED")


class Hdfs:
    """A running HDFS."""

    def __init__(self, folder: Path, kdc: Kdc | None = None) -> None:
        self.port, self._http = free_ports(2)
        self._kdc = kdc
        self.uri = f"hdfs://127.0.0.1:{self.port}"
        self._folder = folder
        self._started = folder / "started.xml"  # written when it has a DataNode
        self.server = Server(self._command("-format"), folder, self._is_ready)

    def restart(self) -> None:
        """Starts it again with its files."""
        self.server = Server(self._command(), self._folder, self._is_ready)

    def _command(self, *options: str) -> list[str]:
        ports = ["-nnport", str(self.port), "-httpport", str(self._http), "-datanodes", "1"]
        # A client that has to wait for the last block asks again after this; the default makes small files slow.
        settings = ["dfs.replication=1", "dfs.namenode.safemode.extension=0", "dfs.namenode.fs-limits.min-block-size=0"]
        secured = self._kdc.settings_of_hdfs() if self._kdc else {}
        settings += [f"{name}={value}" for name, value in secured.items()]
        flags = [*FLAGS, *([self._kdc.option] if self._kdc else [])]
        program = [*("java", "-Xmx512m", *flags, "-cp", class_path(test_jars() / "*"))]
        program.append("org.apache.hadoop.test.MiniDFSClusterManager")
        self._started.unlink(missing_ok=True)
        ports += ["-writeConfig", str(self._started)]
        return [*program, *ports, *options, *(part for setting in settings for part in ("-D", setting))]

    def _is_ready(self) -> bool:
        if self._kdc is not None:  # its web pages want a login, which this client has not
            return self._started.exists()
        try:
            self.put("/ready", b"ready")
        except (urllib3.exceptions.HTTPError, RuntimeError):
            return False
        return True

    def put(self, path: str, data: bytes) -> None:
        """Writes a file."""
        where = self._ask("PUT", path, "CREATE", overwrite="true", noredirect="true")
        answer = urllib3.request("PUT", where["Location"], body=data, timeout=10, retries=False)
        if answer.status != 201:
            raise RuntimeError(f"{path}: {answer.status} {answer.data.decode()} ({where['Location']})")

    def get(self, path: str) -> bytes:
        """Returns a file's content."""
        where = self._ask("GET", path, "OPEN", noredirect="true")
        return urllib3.request("GET", where["Location"], timeout=10).data

    def files(self, path: str) -> list[str]:
        """Returns the paths of all files below a folder."""
        found: list[str] = []
        for each in self._ask("GET", path, "LISTSTATUS")["FileStatuses"]["FileStatus"]:
            inner = f"{path.rstrip('/')}/{each['pathSuffix']}"
            found += self.files(inner) if each["type"] == "DIRECTORY" else [inner]
        return found

    def forbid(self, path: str) -> None:
        """Makes a folder that nobody but a superuser may change."""
        self._ask("PUT", path, "MKDIRS", permission="555")

    def _ask(self, method: str, path: str, operation: str, **options: str) -> dict[str, Any]:
        fields = {"op": operation, "user.name": getpass.getuser(), **options}
        url = f"http://127.0.0.1:{self._http}/webhdfs/v1{path}"
        answer = urllib3.request(
            method, url + "?" + "&".join(f"{key}={value}" for key, value in fields.items()), timeout=10, retries=False
        )
        if answer.status >= 400:
            raise RuntimeError(f"{method} {url}: {answer.status} {answer.data.decode()}")
        return dict(json.loads(answer.data or b"{}"))


class Client:
    """Hadoop's own client, in a JVM of its own."""

    def __init__(self, uri: str, started: JavaGateway, kdc: Kdc | None) -> None:
        self._hadoop: Any = started.jvm.org.apache.hadoop
        conf = self._hadoop.conf.Configuration()
        if kdc is not None:
            for name, value in kdc.settings_of_hdfs().items():
                conf.set(name, value)
            kdc.login(started, conf, SERVICES["hdfs"])
        # It asks again after this whether a file's last block is there; the default makes small files take 0.4 s each.
        conf.set("dfs.client.block.write.locateFollowingBlock.initial.delay.ms", "5")
        self._files = self._hadoop.fs.FileSystem.get(started.jvm.java.net.URI(uri), conf)

    def write(self, folder: str, files: Iterable[tuple[str, bytes]]) -> None:
        """Writes files into a folder."""
        for name, data in files:
            stream = self._files.create(self._hadoop.fs.Path(f"{folder}/{name}"), True)
            stream.write(bytearray(data))
            stream.close()

    def open_to_all(self, folder: str) -> None:
        """Makes a folder that everybody may change."""
        permission = self._hadoop.fs.permission.FsPermission("777")
        self._files.mkdirs(self._hadoop.fs.Path(folder))
        self._files.setPermission(self._hadoop.fs.Path(folder), permission)

    def names(self, folder: str) -> list[str]:
        """Returns the names of a folder's files."""
        return sorted(str(each.getPath().getName()) for each in self._files.listStatus(self._hadoop.fs.Path(folder)))

    def owner(self, path: str) -> str:
        """Returns whose a file is."""
        return str(self._files.getFileStatus(self._hadoop.fs.Path(path)).getOwner())

    def read(self, folder: str) -> int:
        """Reads all files of a folder; returns their bytes, which stay in the client's JVM."""
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
    """Starts a client's JVM, and ends it."""
    with gateway(*([kdc.option] if kdc else [])) as started:
        yield Client(server.uri, started, kdc)


@contextmanager
def running(folder: Path, kdc: Kdc | None = None) -> Iterator[Hdfs]:
    """Starts HDFS with its files below a folder, and kills it: nothing is worth keeping.

    Args:
        folder: For its files.
        kdc: Secures it.
    """
    started = Hdfs(folder, kdc)
    try:
        yield started
    finally:
        started.server.kill()
