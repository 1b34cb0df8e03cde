"""A real Kerberos: Apache Kerby's key distribution centre, and one keytab with all keys."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from py4j.java_gateway import JavaGateway

from tests.support.stores.java import Server, class_path, free_ports, test_jars

REALM = "EXAMPLE.COM"
RUN = f"features@{REALM}"  # the principal of runs
SERVICES = {name: f"{name}/localhost@{REALM}" for name in ("hdfs", "hbase", "HTTP")}
PROPERTIES = """org.name=EXAMPLE
org.domain=COM
kdc.bind.address=127.0.0.1
kdc.port={port}
instance=DefaultKrbServer
max.ticket.lifetime=86400000
max.renewable.lifetime=604800000
transport=TCP
debug=false
"""


class Kdc:
    """A running key distribution centre."""

    def __init__(self, folder: Path) -> None:
        (self._port,) = free_ports(1)
        self.krb5_conf, self.keytab = folder / "krb5.conf", folder / "keytab"
        (folder / "kdc.properties").write_text(PROPERTIES.format(port=self._port))
        names = [name.split("@")[0] for name in (RUN, *SERVICES.values())]
        command = ["java", "-cp", class_path(test_jars() / "*"), "org.apache.hadoop.minikdc.MiniKdc"]
        command += [str(folder), str(folder / "kdc.properties"), str(self.keytab), *names]
        self.server = Server(command, folder, self._is_ready)

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            return self.keytab.exists() and probe.connect_ex(("127.0.0.1", self._port)) == 0

    @property
    def option(self) -> str:
        """The JVM option that points to the KDC."""
        return f"-Djava.security.krb5.conf={self.krb5_conf}"

    def hbase_settings(self) -> dict[str, str]:
        """Settings for servers and clients of a secured HBase."""
        settings = {"hadoop.security.authentication": "kerberos", "hbase.security.authentication": "kerberos"}
        for server in ("master", "regionserver"):
            settings[f"hbase.{server}.kerberos.principal"] = SERVICES["hbase"]
            settings[f"hbase.{server}.keytab.file"] = str(self.keytab)
        return settings

    def hdfs_settings(self) -> dict[str, str]:
        """Settings for servers and clients of a secured HDFS."""
        settings = {
            "hadoop.security.authentication": "kerberos",
            "dfs.block.access.token.enable": "true",
            "dfs.data.transfer.protection": "authentication",
            "dfs.web.authentication.kerberos.principal": SERVICES["HTTP"],
            "dfs.web.authentication.kerberos.keytab": str(self.keytab),
            # A DataNode requires ports below 1024 or TLS for its web pages, which are not used here.
            "ignore.secure.ports.for.testing": "true",
        }
        for server in ("namenode", "datanode"):
            settings[f"dfs.{server}.kerberos.principal"] = SERVICES["hdfs"]
            settings[f"dfs.{server}.keytab.file"] = str(self.keytab)
        return settings

    def secret(self, folder: Path) -> None:
        """Writes the Secret for a run's login: keytab and krb5.conf."""
        folder.mkdir(parents=True)
        for path in (self.krb5_conf, self.keytab):
            (folder / path.name).write_bytes(path.read_bytes())

    def login(self, started: JavaGateway, conf: Any, principal: str) -> None:
        """Logs a client's JVM in."""
        conf.set("hadoop.security.authentication", "kerberos")
        users: Any = started.jvm.org.apache.hadoop.security.UserGroupInformation
        users.setConfiguration(conf)
        users.loginUserFromKeytab(principal, str(self.keytab))


@contextmanager
def running(folder: Path) -> Iterator[Kdc]:
    """Runs a KDC until the block ends, then kills it."""
    started = Kdc(folder)
    try:
        yield started
    finally:
        started.server.kill()
