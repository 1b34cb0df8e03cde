"""How a run and a store authenticate each other: private CAs and pod identity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, rows_of_bucket, run_alone
from tests.integration.job.store import ADMIN, Authority, Store, running

IMAGE = drawings.encoded(drawings.scene())
BUCKET = "behind-tls"  # Hadoop caches clients by bucket name


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls_store(tmp_path_factory: pytest.TempPathFactory, ca: Authority) -> Iterator[Store]:
    with running(tmp_path_factory.mktemp("tls"), ca) as store:
        store.put(BUCKET, {"images/a.jpg": IMAGE})
        yield store


def spec_of(store: Store, tiny: Spec, bucket: str, **access: object) -> Spec:
    source = {"endpoint": store.endpoint, "bucket": bucket, "prefix": "images/", **access}
    return {"source": {"s3": source}, **tiny, "output": {"uri": f"s3://{bucket}/table"}}


def test_a_certificate_is_trusted_if_its_private_ca_is_in_the_secret(
    runner: Runner, tls_store: Store, ca: Authority, secrets: Path, tiny: Spec
) -> None:
    (secrets / "tls").mkdir()
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ADMIN, strict=True):
        (secrets / "tls" / name).write_text(value)
    (secrets / "tls" / "ca.crt").write_bytes(ca.certificate.read_bytes())
    outcome = runner.run(spec_of(tls_store, tiny, BUCKET, secretRef={"name": "tls"}), "uid-tls")
    assert outcome.failure is None, outcome.failure
    assert [row["key"] for row in rows_of_bucket(tls_store, BUCKET, "table").rows] == ["images/a.jpg"]


def test_a_certificate_of_an_unknown_ca_is_refused_with_a_hint(runner: Runner, tls_store: Store, tiny: Spec) -> None:
    outcome = runner.run(spec_of(tls_store, tiny, BUCKET, secretRef={"name": "store"}), "uid-untrusted")
    assert outcome.failure is not None
    assert outcome.failure.class_ == "UntrustedStore"
    assert "ca.crt" in outcome.failure.message
    assert not outcome.retryable


def test_a_run_authenticates_with_its_pods_identity(store: Store, tiny: Spec, tmp_path: Path) -> None:
    store.put("identity", {"images/a.jpg": IMAGE})
    credentials = {"AWS_ACCESS_KEY_ID": ADMIN[0], "AWS_SECRET_ACCESS_KEY": ADMIN[1]}
    outcome = run_alone(
        spec_of(store, tiny, "identity", podIdentity=True), "uid-identity", tmp_path, environment=credentials
    )
    assert outcome["result"] == "Succeeded", outcome
    assert [row["key"] for row in rows_of_bucket(store, "identity", "table").rows] == ["images/a.jpg"]
