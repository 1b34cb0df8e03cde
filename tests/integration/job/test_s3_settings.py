"""Buckets that need more than credentials, on a real store that enforces it: encryption keys and signed headers."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as arrow
import pytest
from featx_job.clients import s3_libraries
from featx_job.clients.s3 import Bucket
from featx_job.clients.s3_settings import Connection, Credentials
from minio.sse import SseCustomerKey

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, rows_of_folder
from tests.integration.job.store import ADMIN, Authority, Store, running
from tests.support.packed_files import tar

KEY = bytes(range(32))
PLAIN = [f"images/{number}.jpg" for number in range(6)]
LOCKED = "images/locked.jpg"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("encryption-authority"))


@pytest.fixture(scope="module")
def tls_store(tmp_path_factory: pytest.TempPathFactory, ca: Authority) -> Iterator[Store]:
    with running(tmp_path_factory.mktemp("encryption"), ca) as store:
        store.put("mixed-keys", {key: drawings.encoded(drawings.scene(seed=7)) for key in PLAIN})
        put_encrypted(store, "mixed-keys", LOCKED)
        store.put("own-key", {"readme.txt": b"not encrypted"})
        for key in PLAIN:
            put_encrypted(store, "own-key", key)
        yield store


def put_encrypted(store: Store, bucket: str, key: str, content: bytes | None = None) -> None:
    data = drawings.encoded(drawings.scene(seed=len(key))) if content is None else content
    store.client.put_object(bucket, key, io.BytesIO(data), len(data), sse=SseCustomerKey(KEY))


@pytest.fixture
def keyed_secret(secrets: Path, ca: Authority) -> str:
    """A Secret with the key of encrypted objects."""
    folder = secrets / "keyed"
    folder.mkdir(exist_ok=True)
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ADMIN, strict=True):
        (folder / name).write_text(value)
    (folder / "ca.crt").write_bytes(ca.certificate.read_bytes())
    (folder / "SSE_CUSTOMER_KEY").write_text(f"{base64.b64encode(KEY).decode()}\n")
    return folder.name


def spec_of(store: Store, tiny: Spec, bucket: str, secret: str, output: Path, **access: Any) -> Spec:
    source = {"endpoint": store.endpoint, "bucket": bucket, "prefix": "images/", "secretRef": {"name": secret}}
    return {
        "source": {"s3": source | access},
        **tiny,
        "output": {"uri": f"file://{output}"},
        "errors": {"maxFailedFraction": 1},
    }


def test_objects_encrypted_with_the_customers_key_are_read_with_it(
    runner: Runner, tls_store: Store, keyed_secret: str, tiny: Spec, tmp_path: Path
) -> None:
    spec = spec_of(tls_store, tiny, "own-key", keyed_secret, tmp_path / "table", sseCustomerKey=True)
    outcome = runner.run(spec, uid="keyed")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert (sorted(row["key"] for row in tables.rows), tables.quarantine) == (PLAIN, [])
    spec["source"]["keys"] = [PLAIN[2]]
    spec["output"]["uri"] = f"file://{tmp_path}/one"
    assert runner.run(spec, uid="one").failure is None
    assert [row["key"] for row in rows_of_folder(tmp_path / "one").rows] == [PLAIN[2]]


@pytest.mark.parametrize("format_", ["auto", "delta"])
def test_packed_files_encrypted_with_the_customers_key_are_read_with_it(
    runner: Runner, tls_store: Store, keyed_secret: str, tiny: Spec, tmp_path: Path, format_: str
) -> None:
    data = drawings.encoded(drawings.scene())
    deltalake.write_deltalake(str(tmp_path / "in"), arrow.table({"key": ["a.jpg"], "image": [data]}))
    files = {
        f"{path.relative_to(tmp_path / 'in')}": path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    }
    bucket = f"packed-{format_}"
    tls_store.put(bucket, {"readme.txt": b"not encrypted"})
    for name, content in ({"a.tar": tar({"a.jpg": data})} if format_ == "auto" else files).items():
        put_encrypted(tls_store, bucket, f"images/{name}", content)
    spec = spec_of(tls_store, tiny, bucket, keyed_secret, tmp_path / "table", sseCustomerKey=True)
    spec["source"]["packed"] = {"format": format_}
    outcome = runner.run(spec, uid=bucket)
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert ([row["key"].rpartition("/")[2] for row in tables.rows], tables.quarantine) == (["a.jpg"], [])


def test_an_object_encrypted_with_a_key_that_the_run_lacks_is_a_row(
    runner: Runner, tls_store: Store, keyed_secret: str, tiny: Spec, tmp_path: Path
) -> None:
    outcome = runner.run(spec_of(tls_store, tiny, "mixed-keys", keyed_secret, tmp_path / "table"), uid="lacks")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert sorted(row["key"] for row in tables.rows) == PLAIN
    assert tables.reasons() == {LOCKED: ("read", "Refused")}
    assert "status 400 InvalidArgument" in tables.quarantine[0]["message"]


def test_a_bucket_of_which_no_object_has_the_runs_key_fails_the_run(
    runner: Runner, tls_store: Store, keyed_secret: str, secrets: Path, tiny: Spec, tmp_path: Path
) -> None:
    key = secrets / keyed_secret / "SSE_CUSTOMER_KEY"
    key.write_text(base64.b64encode(KEY[::-1]).decode())
    spec = spec_of(tls_store, tiny, "own-key", keyed_secret, tmp_path / "table", sseCustomerKey=True)
    outcome = runner.run(spec, uid="other-key")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) in {("AccessDenied", False), ("StoreError", False)}
    assert key.read_text() not in outcome.failure.message


@pytest.mark.parametrize("access", [{"requesterPays": True}, {"headers": {"x-amz-expected-bucket-owner": "tests"}}])
def test_the_store_accepts_the_signature_of_further_headers(
    access: dict[str, Any], runner: Runner, store: Store, tiny: Spec, tmp_path: Path
) -> None:
    images = {f"images/{number}.jpg": drawings.encoded(drawings.scene()) for number in range(3)}
    store.put("signed-headers", images)
    spec = spec_of(store, tiny, "signed-headers", "reader", tmp_path / "table", **access)
    assert runner.run(spec, uid="headers").failure is None
    assert sorted(row["key"] for row in rows_of_folder(tmp_path / "table").rows) == list(images)


@pytest.mark.parametrize("headers", [{}, {"x-amz-expected-bucket-owner": "tests"}])
def test_the_store_accepts_what_is_signed_for_the_alias_of_an_access_point(
    headers: dict[str, str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_libraries, "ALIAS", "-alias")  # the server refuses the end of real ones, as AWS does
    name = f"photos-{len(headers)}-alias"
    reached = Connection(
        store.endpoint, "us-east-1", Credentials(*ADMIN), headers=headers, requester_pays=bool(headers)
    )
    bucket = Bucket(reached, "spec.source.s3", name, 0)
    store.client.make_bucket(name)
    bucket.write("images/a b.jpg", b"image")
    assert bucket.read("images/a b.jpg") == b"image"
    assert [stored.key for stored in bucket.folder("images/").objects] == ["images/a b.jpg"]
    assert [stored.key for stored in bucket.below("")] == ["images/a b.jpg"]
    assert (bucket.create("log/0 1.json", b"{}"), bucket.create("log/0 1.json", b"{}")) == (True, False)
    bucket.move("log/0 1.json", "log/1.json")
    assert (bucket.stat("log/0 1.json"), bucket.read("log/1.json")) == (None, b"{}")


def test_a_table_is_written_to_a_bucket_whose_requester_pays(runner: Runner, store: Store, tiny: Spec) -> None:
    store.put("requester-pays", {"images/a.jpg": drawings.encoded(drawings.scene())})
    spec = spec_of(store, tiny, "requester-pays", "store", Path("/unused"), requesterPays=True)
    spec["output"] = {"uri": "s3://requester-pays/table"}
    assert runner.run(spec, uid="pays").failure is None
    assert any(key.startswith("table/_delta_log/") for key in store.keys("requester-pays", "table/"))
