"""A real HBase: master, region server and ZooKeeper in one process, and a client in a separate JVM."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.stores.java import Server, class_path, free_ports, gateway
from tests.support.stores.kerberos import SERVICES, Kdc

FAMILY, QUALIFIER = "p", "jpg"
OPENED = ("java.lang", "java.lang.reflect", "java.nio", "sun.nio.ch", "jdk.internal.ref")
FLAGS = [
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
    "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.apache.hbase.thirdparty.io.netty.tryReflectionSetAccessible=true",
]
SITE = """<?xml version="1.0"?>
<configuration>{properties}</configuration>
"""
PROPERTY = "<property><name>{name}</name><value>{value}</value></property>"


ALWAYS: dict[str, Any] = {
    "hbase.unsafe.stream.capability.enforce": "false",
    "hbase.wal.provider": "filesystem",
    "hbase.master.port": 0,
    "hbase.master.info.port": -1,
    "hbase.regionserver.info.port": -1,
    "hbase.regionserver.msginterval": 300,
    "hbase.master.wait.on.regionservers.mintostart": 1,
    "hbase.master.wait.on.regionservers.interval": 100,
    "hbase.localcluster.assign.random.ports": "false",
    "hbase.server.keyvalue.maxsize": 0,  # cells of more than 10 MB
}


def properties(settings: Mapping[str, Any]) -> str:
    """The properties of a server whose master, region server and ZooKeeper share one process and one disk."""
    return "".join(PROPERTY.format(name=name, value=value) for name, value in (ALWAYS | dict(settings)).items())


class HBase:
    """A running HBase."""

    def __init__(self, folder: Path, session_seconds: int, kdc: Kdc | None = None) -> None:
        (self._zookeeper, self.region_port) = free_ports(2)
        self.root_dir = f"file://{folder}/data"
        self.quorum = f"127.0.0.1:{self._zookeeper}"
        settings = {
            "hbase.rootdir": self.root_dir,
            "hbase.tmp.dir": f"{folder}/tmp",
            "hbase.zookeeper.property.clientPort": self._zookeeper,
            "hbase.zookeeper.property.dataDir": f"{folder}/zookeeper",
            "hbase.zookeeper.quorum": "127.0.0.1",
            "zookeeper.session.timeout.localHBaseCluster": 1000 * session_seconds,
            "hbase.zookeeper.property.tickTime": 50 * session_seconds,  # sessions last 20 ticks at most
            "hbase.regionserver.port": self.region_port,
            "hbase.master.ipc.address": "127.0.0.1",
            "hbase.regionserver.ipc.address": "127.0.0.1",
            "hbase.master.hostname": "localhost",
            "hbase.regionserver.hostname": "localhost",
            **(kdc.hbase_settings() if kdc else {}),
        }
        self._kdc = kdc
        (folder / "conf").mkdir(exist_ok=True)
        for name in ("hbase-site.xml", "core-site.xml"):  # Hadoop reads whether Kerberos is enabled here
            (folder / "conf" / name).write_text(SITE.format(properties=properties(settings)))
        command = ["java", "-Xmx768m", *FLAGS, *([kdc.option] if kdc else []), "-cp", class_path(folder / "conf")]
        command += ["org.apache.hadoop.hbase.master.HMaster", "start"]
        self._client: Client | None = None
        self.server = Server(command, folder, self._is_ready)

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.region_port)) == 0

    def mob_files(self, table: str) -> list[Path]:
        """The files of cells that are stored on their own."""
        folder = Path(self.root_dir.removeprefix("file://")) / "mobdir" / "data" / "default" / table
        return [path for path in folder.rglob(f"*/{FAMILY}/*") if path.is_file() and not path.name.startswith(".")]

    @property
    def client(self) -> Client:
        """A client, created on first use."""
        if self._client is None:
            self._client = Client(self.quorum, self._kdc)
        return self._client

    def close(self) -> None:
        """Stops client and server."""
        if self._client is not None:
            self._client.close()
        self.server.kill()


class Client:
    """Creates tables and fills them."""

    def __init__(self, quorum: str, kdc: Kdc | None = None) -> None:
        self._ending = ExitStack()
        self._gateway = self._ending.enter_context(gateway(*FLAGS, *([kdc.option] if kdc else [])))
        self._jvm: Any = self._gateway.jvm
        self._hbase = self._jvm.org.apache.hadoop.hbase
        conf = self._hbase.HBaseConfiguration.create()
        conf.set("hbase.zookeeper.quorum", quorum)
        conf.set("hbase.client.keyvalue.maxsize", "0")
        if kdc is not None:
            for name, value in kdc.hbase_settings().items():
                conf.set(name, value)
            kdc.login(self._gateway, conf, SERVICES["hbase"])
        self._connection = self._hbase.client.ConnectionFactory.createConnection(conf)

    def create(self, table: str, splits: Sequence[bytes] = (), versions: int = 1, mob: int | None = None) -> None:
        """Creates a table with one column family, which has one more region than splits.

        Args:
            table: Its name.
            splits: First rows of all regions but the first.
            versions: Cells that a column keeps.
            mob: Size in bytes from which cells are stored in files of their own (MOB).
        """
        described = self._hbase.client.ColumnFamilyDescriptorBuilder.newBuilder(bytearray(FAMILY.encode()))
        described.setMaxVersions(versions)
        if mob is not None:
            described.setMobEnabled(True).setMobThreshold(mob)
        family = described.build()
        builder = self._hbase.client.TableDescriptorBuilder.newBuilder(self._name(table))
        rows = self._gateway.new_array(self._gateway.jvm.byte, len(splits), 1)
        for index, row in enumerate(splits):
            rows[index] = bytearray(row)
        admin = self._connection.getAdmin()
        admin.createTable(builder.setColumnFamily(family).build(), rows if splits else None)

    def put(
        self, table: str, cells: Mapping[bytes, bytes], time: int | None = None, qualifier: str = QUALIFIER
    ) -> None:
        """Stores images by row, with a timestamp in milliseconds if given."""
        puts = self._jvm.java.util.ArrayList()
        for row, data in cells.items():
            put = self._hbase.client.Put(bytearray(row))
            column = (bytearray(FAMILY.encode()), bytearray(qualifier.encode()))
            given = (*column, bytearray(data)) if time is None else (*column, time, bytearray(data))
            puts.add(put.addColumn(*given))
        self._connection.getTable(self._name(table)).put(puts)

    def flush(self, table: str) -> None:
        """Flushes memory to files, so that regions have a size and data survives a kill."""
        self._connection.getAdmin().flush(self._name(table))

    def scanned(self, table: str) -> int:
        """The number of rows in a scan of the whole table; cells stay in the client's JVM."""
        scan = self._hbase.client.Scan().setCacheBlocks(False).setMaxResultSize(4 << 20)
        scanner = self._connection.getTable(self._name(table)).getScanner(scan)
        rows = 0
        while count := len(scanner.next(1000)):
            rows += count
        scanner.close()
        return rows

    def snapshot(self, table: str, name: str) -> None:
        """Takes a snapshot."""
        self._connection.getAdmin().snapshot(name, self._name(table))

    def split(self, table: str, row: bytes) -> None:
        """Splits a region."""
        self._connection.getAdmin().split(self._name(table), bytearray(row))

    def delete(self, table: str, row: bytes) -> None:
        """Deletes a row."""
        self._connection.getTable(self._name(table)).delete(self._hbase.client.Delete(bytearray(row)))

    def reopen(self, table: str) -> None:
        """Closes each region and opens it again, as when it moves to another server."""
        admin = self._connection.getAdmin()
        for region in list(admin.getRegions(self._name(table))):
            admin.unassign(region.getRegionName(), True)
            admin.assign(region.getRegionName())

    def merge(self, table: str) -> None:
        """Merges the first two regions."""
        admin = self._connection.getAdmin()
        names = self._gateway.new_array(self._gateway.jvm.byte, 2, 1)
        for index, region in enumerate(list(admin.getRegions(self._name(table)))[:2]):
            names[index] = region.getEncodedNameAsBytes()
        admin.mergeRegionsAsync(names, True).get()

    def close(self) -> None:
        """Stops the client's JVM."""
        self._ending.close()

    def _name(self, table: str) -> Any:
        return self._hbase.TableName.valueOf(table)


@contextmanager
def running(folder: Path, session_seconds: int = 10, kdc: Kdc | None = None) -> Iterator[HBase]:
    """Runs HBase until the block ends, then kills it: its data is disposable.

    Args:
        folder: Its data directory.
        session_seconds: How long its servers may be unresponsive before they exit, and how long a killed server is
            considered alive after a restart.
        kdc: Secures the server with Kerberos, if given.
    """
    started = HBase(folder, session_seconds, kdc)
    try:
        yield started
    finally:
        started.close()
