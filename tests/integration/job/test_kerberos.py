"""HDFS and HBase secured by Kerberos: a run logs in with its Secret's keytab, or reports why it can't."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, run_alone
from tests.support.stores import hbase, hdfs, kerberos
from tests.support.stores.kerberos import RUN, SERVICES, Kdc

NAMES = [f"{number:02}.jpg" for number in range(12)]
IMAGE = drawings.encoded(drawings.scene())


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    with kerberos.running(tmp_path_factory.mktemp("kdc")) as server:
        yield server


def run(spec: Spec, kdc: Kdc, folder: Path) -> dict[str, Any]:
    """Runs in a separate process, because a JVM keeps its Kerberos login for good; returns the outcome."""
    kdc.secret(folder / "secrets" / "login")
    return run_alone(spec, "uid-kerberos", folder, folder / "secrets")


def execution(principal: str = RUN, **settings: str) -> Spec:
    spark = {f"spark.hadoop.{name}": value for name, value in settings.items()}
    return {
        "kerberos": {"principal": principal, "secretRef": {"name": "login"}},
        "sparkConf": spark,
        "storeTimeoutSeconds": 60,
        "shardImages": 4,
    }


def test_a_run_on_secured_hdfs_owns_the_table_it_writes(kdc: Kdc, tiny: Spec, tmp_path: Path) -> None:
    (tmp_path / "hdfs").mkdir()
    with hdfs.running(tmp_path / "hdfs", kdc) as server, hdfs.client(server, kdc) as client:
        client.write("/images", ((name, IMAGE) for name in NAMES))
        client.open_to_all("/tables")
        settings = {
            "dfs.namenode.kerberos.principal": SERVICES["hdfs"],
            "dfs.data.transfer.protection": "authentication",
        }
        spec = {
            "source": {"files": {"uri": f"{server.uri}/images"}},
            **tiny,
            "output": {"uri": f"{server.uri}/tables/run"},
            "execution": execution(**settings),
        }
        outcome = run(spec, kdc, tmp_path)
        assert outcome["result"] == "Succeeded", outcome
        parts = [name for name in client.names("/tables/run") if name.startswith("part-")]
        assert [name[:10] for name in parts] == ["part-00000"]
        assert {client.owner(f"/tables/run/{name}") for name in [*parts, "_delta_log"]} == {"features"}


def test_rows_of_a_secured_hbase_are_read(kdc: Kdc, tiny: Spec, tmp_path: Path) -> None:
    (tmp_path / "hbase").mkdir()
    with hbase.running(tmp_path / "hbase", kdc=kdc) as server:
        server.client.create("catalog")
        server.client.put("catalog", {name.encode(): IMAGE for name in NAMES})
        servers = {f"hbase.{name}.kerberos.principal": SERVICES["hbase"] for name in ("master", "regionserver")}
        column = f"{hbase.FAMILY}:{hbase.QUALIFIER}"
        spec = {
            "source": {"hbase": {"quorum": server.quorum, "table": "catalog", "column": column}},
            **tiny,
            "output": {"uri": f"file://{tmp_path}/table"},
            "execution": execution(**servers),
        }
        outcome = run(spec, kdc, tmp_path)
    assert outcome["result"] == "Succeeded", outcome
    assert outcome["progress"]["summary"] == f"{len(NAMES)}/{len(NAMES)}"


@pytest.mark.parametrize(
    "source",
    [
        {"files": {"uri": "hdfs://127.0.0.1:1/images"}},
        {"hbase": {"quorum": "127.0.0.1:1", "table": "catalog", "column": "f:q"}},
    ],
    ids=["HDFS", "HBase"],
)
def test_a_principal_missing_from_the_keytab_is_named(
    kdc: Kdc, tiny: Spec, tmp_path: Path, source: dict[str, Any]
) -> None:
    spec = {
        "source": source,
        **tiny,
        "output": {"uri": f"file://{tmp_path}/table"},
        "execution": execution("stranger@EXAMPLE.COM"),
    }
    outcome = run(spec, kdc, tmp_path)
    assert outcome["failure"]["class"] == "AccessDenied", outcome
    assert "stranger@EXAMPLE.COM" in outcome["failure"]["message"]
    assert not outcome.get("retryable")


def test_the_missing_keytab_of_a_secret_is_named(runner: Runner, secrets: Path, tiny: Spec, tmp_path: Path) -> None:
    (secrets / "login").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "images/1.jpg").write_bytes(IMAGE)
    spec = {
        "source": {"files": {"uri": f"file://{tmp_path}/images"}},
        **tiny,
        "output": {"uri": f"file://{tmp_path}/table"},
        "execution": execution(),
    }
    outcome = runner.run(spec)
    assert outcome.failure is not None
    assert outcome.failure.class_ == "SecretIncomplete"
    assert "keytab, krb5.conf" in outcome.failure.message
