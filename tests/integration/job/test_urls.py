"""Tables of URLs: images of the run's own store and of the web, where hosts are slow, busy, gone or hostile."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from featx_job.source.packed_files import URL_SHARD_BYTES

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, Tables, rows_of_bucket, rows_of_folder
from tests.integration.job.store import ADMIN, Authority, Store
from tests.support.web_server import SECRET, WebServer, served

IMAGES = {f"{number:03}.jpg": drawings.encoded(drawings.scene(seed=number)) for number in range(4)}
LARGE = {"large.jpg": bytes(2 << 20)}


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    with served(IMAGES | LARGE) as server:
        yield server


def fetching(runner: Runner, *hosts: str) -> Runner:
    """A runner that may fetch images from these hosts."""
    return replace(runner, environment=replace(runner.environment, url_hosts=hosts))


def run(runner: Runner, tiny: Spec, folder: Path, urls: dict[str, str | None], **settings: Any) -> Tables:
    """Runs a table of URLs by name."""
    outcome = runner.run(spec_of(tiny, folder, urls, **settings), uid=folder.name)
    assert outcome.failure is None, outcome.failure
    return rows_of_folder(folder / "table")


def spec_of(tiny: Spec, folder: Path, urls: dict[str, str | None], **settings: Any) -> Spec:
    (folder / "in").mkdir()
    table = arrow.table({"name": list(urls), "link": arrow.array(list(urls.values()), arrow.string())})
    if settings.get("format") == "delta":
        deltalake.write_deltalake(str(folder / "in"), table)
    else:
        parquet.write_table(table, folder / "in" / "urls.parquet")
    source = {"files": {"uri": f"file://{folder}/in"}, "packed": {"urlColumn": "link", **settings}}
    return {
        "source": source,
        **tiny,
        "output": {"uri": f"file://{folder}/table"},
        "errors": {"maxFailedFraction": 1},
        "limits": {"mebibytes": 1},
    }


def features(tables: Tables) -> dict[str, Any]:
    """Features by name of the row."""
    return {row["key"].split("/")[-1]: row["feature"] for row in tables.rows}


def problems(tables: Tables) -> dict[str, tuple[str, str]]:
    """Reason and message of each quarantined row, by name."""
    return {row["key"].split("/")[-1]: (row["reason"], row["message"]) for row in tables.quarantine}


@pytest.fixture(scope="module")
def plain(runner: Runner, web: WebServer, tiny: Spec, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Features of the images, by name."""
    urls: dict[str, str | None] = {name: f"{web.url}/{name}" for name in IMAGES}
    return features(run(fetching(runner, web.address), tiny, tmp_path_factory.mktemp("plain"), urls))


def test_images_of_the_web_are_read_however_they_arrive(
    runner: Runner, web: WebServer, tiny: Spec, plain: dict[str, Any], tmp_path: Path
) -> None:
    first = {
        "plain": f"{web.url}/000.jpg?{SECRET}#part",
        "relative": f"{web.url}/to/a?url=/000.jpg",
        "five hops": f"{web.url}/hops/4",
        "busy": f"{web.url}/busy/000.jpg",
        "failing once": f"{web.url}/failing/000.jpg",
        "cut once": f"{web.url}/once-cut/000.jpg",
        "chunked": f"{web.url}/chunked/000.jpg",
        "upper case": f"  HTTP://{web.address}/slow/000.jpg ",
    }
    tables = run(fetching(runner, web.address), tiny, tmp_path, dict(first))
    assert tables.quarantine == []
    assert features(tables) == dict.fromkeys(first, plain["000.jpg"])
    (headers,) = web.requests["/slow/000.jpg"]
    assert headers["User-Agent"].startswith("Featx")
    assert not {"Authorization", "Cookie"} & set(headers)


def test_an_image_that_cannot_be_fetched_is_a_row_with_the_reason_and_without_secrets(
    runner: Runner, web: WebServer, tiny: Spec, tmp_path: Path
) -> None:
    urls = {
        "gone": (f"{web.url}/status/404?{SECRET}", "Missing", "/status/404 responded with status 404"),
        "gone for good": (f"{web.url}/status/410", "Missing", "status 410"),
        "forbidden": (f"{web.url}/status/403?{SECRET}", "Refused", "status 403"),
        "no content": (f"{web.url}/status/204", "Refused", "status 204"),
        "six hops": (f"{web.url}/hops/5", "Refused", "redirects more than 5 times"),
        "other scheme": (f"{web.url}/to/a?url=file:///etc/passwd", "Refused", "another scheme"),
        "to another host": (
            f"{web.url}/to/a?url=http://10.0.0.1/a",
            "Refused",
            "10.0.0.1 is a private address, and as ",
        ),
        "metadata": ("http://169.254.169.254/latest", "Refused", "latest is never fetched: its host is link-local"),
        "private": ("https://10.0.0.1/a.jpg", "Refused", "pass --url-hosts '*,10.0.0.1'"),
        "localhost": ("http://localhost:9/a.jpg", "Refused", "localhost:9 is not in allowed.urlHosts"),
        "large": (f"{web.url}/large.jpg", "TooLarge", "limit"),
        "endless": (f"{web.url}/endless/a.jpg", "TooLarge", "limit"),
        "cut": (f"{web.url}/cut/000.jpg", "Unreadable", "broke off the response; requested 4 times"),
        "user": (f"http://me:hunter2@{web.address}/000.jpg", "Unsupported", "user or a password"),
        "ftp": ("ftp://example.com/a.jpg?hunter2", "Unsupported", "begins with neither"),
        "no URL": (None, "Empty", "no URL in column link"),
        "bucket": ("s3://photos/a.jpg", "Refused", "set spec.source.s3"),
        "hdfs": ("hdfs://namenode:8020/a.jpg", "Refused", "another HDFS"),
    }
    tables = run(fetching(runner, web.address), tiny, tmp_path, {name: url for name, (url, _, _) in urls.items()})
    assert tables.rows == []
    found = problems(tables)
    assert {name: reason for name, (reason, _) in found.items()} == {name: it[1] for name, it in urls.items()}
    for name, (_, _, words) in urls.items():
        assert words in found[name][1]
    assert "hunter2" not in str(tables.quarantine)
    assert "secret text" not in str(tables.quarantine)


def test_what_the_hint_of_a_refused_row_says_makes_it_a_row(
    runner: Runner, web: WebServer, tiny: Spec, plain: dict[str, Any], tmp_path: Path
) -> None:
    port = web.address.rpartition(":")[2]
    urls: dict[str, str | None] = {host: f"http://{host}:{port}/000.jpg" for host in ("127.0.0.1", "localhost")}
    hosts: tuple[str, ...] = ("*",)
    for expected in ("Refused", None):
        folder = tmp_path / str(expected)
        folder.mkdir()
        tables = run(fetching(runner, *hosts), tiny, folder, urls)
        messages = [message for _, message in problems(tables).values()]
        assert {reason for reason, _ in problems(tables).values()} == ({expected} if expected else set())
        hosts += tuple(message.rpartition("--url-hosts '*,")[2].removesuffix("'") for message in messages)
    assert features(tables) == dict.fromkeys(urls, plain["000.jpg"])


def test_a_silent_host_holds_up_neither_the_run_nor_the_rows_of_others(
    runner: Runner, web: WebServer, tiny: Spec, plain: dict[str, Any], tmp_path: Path
) -> None:
    with served({}) as other:
        silent = {f"silent {number}": f"{other.url}/silent/{number}" for number in range(40)}
        urls = silent | {name: f"{web.url}/{name}" for name in IMAGES}
        tables = run(fetching(runner.with_store_timeout(1), web.address, other.address), tiny, tmp_path, dict(urls))
        assert other.most_at_once <= 8  # four, and as many that the client has left but the server still serves
    assert features(tables) == plain
    assert {reason for reason, _ in problems(tables).values()} == {"Unreadable"}
    assert len(tables.quarantine) == len(silent)


def test_a_host_has_few_requests_at_the_same_time(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    with served(IMAGES) as host:
        urls = {str(number): f"{host.url}/slow/000.jpg?{number}" for number in range(30)}
        tables = run(fetching(runner, host.address), tiny, tmp_path, dict(urls))
        assert (len(tables.rows), host.most_at_once) == (len(urls), 4)


def test_a_table_in_a_bucket_leads_to_its_store_and_to_the_web_over_tls(
    runner: Runner, store: Store, secrets: Path, tiny: Spec, plain: dict[str, Any], tmp_path: Path
) -> None:
    ca = Authority(tmp_path)
    (secrets / "web").mkdir()
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ADMIN, strict=True):
        (secrets / "web" / name).write_text(value)
    (secrets / "web" / "ca.crt").write_bytes(ca.certificate.read_bytes())
    store.put("url-images", {"a b/000%20.jpg": IMAGES["000.jpg"], "001.jpg": IMAGES["001.jpg"]})
    with served(IMAGES, ca.server_certificate, ca.server_key) as tls, served(IMAGES) as web:
        urls = {
            "other bucket": "s3://url-images/a b/000%20.jpg",
            "missing": "s3://url-images/gone.jpg",
            "no bucket": "s3://no-such-bucket/gone.jpg",
            "tls": f"{tls.url}/002.jpg",
            "to tls": f"{web.url}/to/a?url={tls.url}/003.jpg",
            "from tls": f"{tls.url}/to/a?url={web.url}/003.jpg",
        }
        table = tmp_path / "urls.parquet"
        parquet.write_table(arrow.table({"key": list(urls), "url": list(urls.values())}), table)
        store.put("url-tables", {"in/urls.parquet": table.read_bytes(), "001.jpg": IMAGES["001.jpg"]})
        access = {"endpoint": store.endpoint, "secretRef": {"name": "web"}}
        spec = {
            "source": {"s3": {**access, "bucket": "url-tables", "prefix": "in/"}, "packed": {"urlColumn": "url"}},
            **tiny,
            "output": {"uri": "s3://url-tables/table"},
            "errors": {"maxFailedFraction": 1},
        }
        outcome = fetching(runner, tls.address, web.address).run(spec, uid="url-tables")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_bucket(store, "url-tables", "table")
    names = {"other bucket": "000.jpg", "tls": "002.jpg", "to tls": "003.jpg"}
    assert features(tables) == {name: plain[image] for name, image in names.items()}
    found = problems(tables)
    assert {name: reason for name, (reason, _) in found.items()} == {
        "missing": "Missing",
        "no bucket": "Refused",
        "from tls": "Refused",
    }
    assert "from https to another scheme" in found["from tls"][1]
    sent = [headers for server in (tls, web) for requests in server.requests.values() for headers in requests]
    assert not any("Authorization" in headers for headers in sent)


def test_urls_of_a_delta_table_are_fetched(
    runner: Runner, web: WebServer, tiny: Spec, plain: dict[str, Any], tmp_path: Path
) -> None:
    urls = {name: f"{web.url}/{name}" for name in IMAGES}
    assert features(run(fetching(runner, web.address), tiny, tmp_path, dict(urls), format="delta")) == plain


def test_each_row_of_a_large_table_is_in_one_shard(
    runner: Runner, web: WebServer, tiny: Spec, plain: dict[str, Any], tmp_path: Path
) -> None:
    generator = random.Random(1)
    others = [f"x:{generator.randbytes(40).hex()}" for _ in range(12_000)]  # which are not fetched
    spec = spec_of(tiny, tmp_path, {"000.jpg": f"{web.url}/000.jpg"})
    table = arrow.table({"name": ["000.jpg", *(["same", ""] * 6000)], "link": [f"{web.url}/000.jpg", *others]})
    parquet.write_table(table, tmp_path / "in" / "urls.parquet", row_group_size=5000)
    assert (tmp_path / "in" / "urls.parquet").stat().st_size > 2 * URL_SHARD_BYTES
    outcome = fetching(runner, web.address).run(spec, uid=tmp_path.name)
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert features(tables) == {"000.jpg": plain["000.jpg"]}
    keys = [row["key"].removeprefix("urls.parquet/") for row in tables.quarantine]
    assert len(keys) == len(set(keys)) == len(others)
    assert {"same", "same#3", "same#11999", "2", "12000"} <= set(keys)


@pytest.mark.parametrize(("url", "words"), [("https://example.com/a.jpg", "allowed.urlHosts"), ("a.jpg", "no URLs")])
def test_a_table_of_which_no_url_may_be_fetched_fails_the_run_first(
    runner: Runner, tiny: Spec, tmp_path: Path, url: str, words: str
) -> None:
    outcome = runner.run(spec_of(tiny, tmp_path, {"a": url}), uid=tmp_path.name)
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("SourceNotSupported", False)
    assert "spec.source.packed.urlColumn: column link holds" in outcome.failure.message
    assert words in outcome.failure.message


def test_a_column_of_urls_without_the_setting_names_it(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    spec = spec_of(tiny, tmp_path, {"a": "https://example.com/a.jpg"})
    spec["source"]["packed"] = {"contentColumn": "link"}
    outcome = runner.run(spec, uid=tmp_path.name)
    assert outcome.failure is not None
    assert "column link holds URLs of images; set spec.source.packed.urlColumn" in outcome.failure.message
