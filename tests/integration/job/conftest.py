"""One S3 server, one HBase, one set of tiny nets and one Spark JVM, shared by all tests of the job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from featx_cli.java_build import jars
from featx_job.environment import Environment

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, model
from tests.integration.job.store import ADMIN, READER, Store, running
from tests.support.stores import hbase
from tests.support.stores.hbase import HBase
from tests.support.tiny_models import write_tiny_extractor, write_tiny_ssd


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with running(tmp_path_factory.mktemp("store")) as server:
        yield server


@pytest.fixture(scope="session")
def hbase_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HBase]:
    with hbase.running(tmp_path_factory.mktemp("hbase")) as server:
        yield server


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Secrets as the kubelet mounts them: `store`, `reader`, `wrong`, and `half`, which lacks its second key."""
    folder = tmp_path_factory.mktemp("secrets")
    for name, pair in (("store", ADMIN), ("reader", READER), ("wrong", (ADMIN[0], "not-the-key"))):
        (folder / name).mkdir()
        (folder / name / "AWS_ACCESS_KEY_ID").write_text(f"{pair[0]}\n")
        (folder / name / "AWS_SECRET_ACCESS_KEY").write_text(pair[1])
    (folder / "half").mkdir()
    (folder / "half" / "AWS_ACCESS_KEY_ID").write_text(ADMIN[0])
    return folder


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory, secrets: Path) -> Runner:
    return Runner(Environment(jars=jars(), work=tmp_path_factory.mktemp("work"), secrets=secrets))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    """The spec's detector and extractor: the tiny nets, detecting red subjects of any size."""
    folder = tmp_path_factory.mktemp("nets")
    return {
        "detector": {"model": model(write_tiny_ssd(folder)), "classes": [1], "crop": {"margin": 0.1, "minArea": 0}},
        "extractor": {"model": model(write_tiny_extractor(folder)), "layer": "pool", "binarize": {}},
    }


@pytest.fixture
def image() -> bytes:
    return drawings.encoded(drawings.scene())
