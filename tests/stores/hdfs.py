"""A real HDFS: NameNode and DataNode in one process, and a client by WebHDFS."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from tests.stores.java import Server, class_path, free_ports, test_jars

# WebHDFS makes classes in a way that is closed since Java 17.
FLAGS = ("-Djava.net.preferIPv4Stack=true", "--add-opens=java.base/java.lang=ALL-UNNAMED")


class Hdfs:
    """A running HDFS."""

    def __init__(self, folder: Path) -> None:
        self.port, self._http = free_ports(2)
        self.uri = f"hdfs://127.0.0.1:{self.port}"
        self._folder = folder
        self.server = Server(self._command("-format"), folder, self._is_ready)

    def restart(self) -> None:
        """Starts it again with its files."""
        self.server = Server(self._command(), self._folder, self._is_ready)

    def _command(self, *options: str) -> list[str]:
        ports = ["-nnport", str(self.port), "-httpport", str(self._http), "-datanodes", "1"]
        # A client that has to wait for the last block asks again after this; the default makes small files slow.
        settings = ["dfs.replication=1", "dfs.namenode.safemode.extension=0", "dfs.namenode.fs-limits.min-block-size=0"]
        program = [*("java", "-Xmx512m", *FLAGS, "-cp", class_path(test_jars() / "*"))]
        program.append("org.apache.hadoop.test.MiniDFSClusterManager")
        return [*program, *ports, *options, *(part for setting in settings for part in ("-D", setting))]

    def _is_ready(self) -> bool:
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


@contextmanager
def running(folder: Path) -> Iterator[Hdfs]:
    """Starts HDFS with its files below a folder, and kills it: nothing is worth keeping."""
    started = Hdfs(folder)
    try:
        yield started
    finally:
        started.server.kill()
