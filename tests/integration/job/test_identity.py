"""How a store knows the run, and how the run knows the store: certificates of one's own, and the pods' identity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, rows_of_bucket, run_alone
from tests.integration.job.store import ADMIN, Authority, Store, running

IMAGE = drawings.encoded(drawings.scene())
BUCKET = "behind-tls"  # Hadoop keeps one client a bucket's name


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def behind_tls(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Store]:
    with running(tmp_path_factory.mktemp("tls"), authority) as store:
        store.put(BUCKET, {"images/a.jpg": IMAGE})
        yield store


def spec_of(store: Store, tiny: Spec, bucket: str, **access: object) -> Spec:
    source = {"endpoint": store.endpoint, "bucket": bucket, "prefix": "images/", **access}
    return {"source": {"s3": source}, **tiny, "output": {"uri": f"s3://{bucket}/table"}}


def test_a_certificate_of_one_s_own_authority_is_trusted_where_the_secret_holds_it(
    runner: Runner, behind_tls: Store, authority: Authority, secrets: Path, tiny: Spec
) -> None:
    (secrets / "tls").mkdir()
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ADMIN, strict=True):
        (secrets / "tls" / name).write_text(value)
    (secrets / "tls" / "ca.crt").write_bytes(authority.certificate.read_bytes())
    outcome = runner.run(spec_of(behind_tls, tiny, BUCKET, secretRef={"name": "tls"}), "uid-tls")
    assert outcome.failure is None, outcome.failure
    assert [row["key"] for row in rows_of_bucket(behind_tls, BUCKET, "table").rows] == ["images/a.jpg"]


def test_a_certificate_that_nobody_known_has_signed_is_refused_with_the_way_out(
    runner: Runner, behind_tls: Store, tiny: Spec
) -> None:
    outcome = runner.run(spec_of(behind_tls, tiny, BUCKET, secretRef={"name": "store"}), "uid-untrusted")
    assert outcome.failure is not None
    assert outcome.failure.class_ == "UntrustedStore"
    assert "ca.crt" in outcome.failure.message
    assert not outcome.retryable


def test_a_run_is_known_by_its_pods_identity(store: Store, tiny: Spec, tmp_path: Path) -> None:
    store.put("identity", {"images/a.jpg": IMAGE})
    known_as = {"AWS_ACCESS_KEY_ID": ADMIN[0], "AWS_SECRET_ACCESS_KEY": ADMIN[1]}
    outcome = run_alone(
        spec_of(store, tiny, "identity", podIdentity=True), "uid-identity", tmp_path, environment=known_as
    )
    assert outcome["result"] == "Succeeded", outcome
    assert [row["key"] for row in rows_of_bucket(store, "identity", "table").rows] == ["images/a.jpg"]
