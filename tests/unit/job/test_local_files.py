"""In a driver pod nothing but files of mounted claims can be reached, whatever a spec or a volume holds."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from featx_api.contract import JobSpec
from featx_api.resource import FeatureExtraction
from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Cluster, Environment
from featx_job.failures import RunFailure
from featx_job.local_files import LocalPath, locate
from featx_job.models import fetch
from featx_job.planning import plan_shards
from featx_job.source.local import LocalSource
from featx_job.table.open import open_output
from featx_job.table.storage.local import LocalStorage

from tests.support.bad_resources import changed

FIELD = "spec.x"
SECRET = b"hunter2-the-token"
CLUSTER = Cluster("good-1-driver", "team", "10.0.0.7", "featx/job:1", "/etc/featx/job/executor-pod.yaml")
SNAPSHOT = {"table": "t", "column": "f:q", "snapshot": {"name": "s", "rootDir": "file:///etc"}}


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Return a driver pod with the claim `photos`, and a Secret beside it."""
    (tmp_path / "claims" / "photos" / "inner").mkdir(parents=True)
    (tmp_path / "claims" / "photos" / "inner" / "a.jpg").write_bytes(b"image")
    (tmp_path / "claims" / "other").mkdir()
    (tmp_path / "claims" / "other" / "token").write_bytes(SECRET)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "token").write_bytes(SECRET)
    return Environment(jars=tmp_path, work=tmp_path / "work", claims=tmp_path / "claims", cluster=CLUSTER)


@pytest.fixture
def claim(environment: Environment) -> Path:
    return environment.claims / "photos"


def links(claim: Path) -> dict[str, str]:
    """Return names and targets of links that lead out of a claim."""
    return {
        "absolute": str(claim.parents[1] / "secrets" / "token"),
        "relative": "../../secrets/token",
        "to-a-folder": "../../secrets",
        "to-another-claim": "../other/token",
        "absolute-inside": str(claim / "inner" / "a.jpg"),
        "by-a-folder": "inner/../../../secrets/token",
        "to-nothing": "../../secrets/nothing",
        "to-the-process": "/proc/self/environ",
        "to-itself": "to-itself",
    }


def test_an_address_of_a_claim_is_a_file_in_its_folder(environment: Environment) -> None:
    for uri in ("claim://photos/inner/a.jpg", f"file://{environment.claims}/photos/inner/a.jpg"):
        with locate(uri, FIELD, environment).open() as file:
            assert file.read() == b"image"


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "file:///etc/nothing",
        "file:///var/run/secrets/kubernetes.io/serviceaccount/token",
        "file:///proc/self/environ",
        "file:///mnt/featx/claims-of-others/x",
        "file:///",
        "claim://../secrets/token",
        "claim://./photos/a",
        "claim:///photos/a",
        "claim://photos/../../secrets/token",
        "claim://photos/inner/../inner/a.jpg",
        "claim://photos/a\0b",
    ],
)
def test_an_address_outside_claims_is_refused_in_the_same_words_whether_or_not_a_file_exists(
    uri: str, environment: Environment
) -> None:
    with pytest.raises(RunFailure) as refused:
        locate(uri, FIELD, environment)
    assert (refused.value.class_, refused.value.retryable) == ("PathNotAllowed", False)
    expected = f"{FIELD}: {uri} is not inside a mounted claim; use claim://CLAIM/path, without `..` and without links "
    assert str(refused.value) == f"{expected}that lead out of the claim"


def test_an_address_that_climbs_out_of_the_folder_of_claims_is_refused(environment: Environment) -> None:
    with pytest.raises(RunFailure) as refused:
        locate(f"file://{environment.claims}/photos/../../secrets/token", FIELD, environment)
    assert refused.value.class_ == "PathNotAllowed"


def test_on_a_users_machine_any_file_can_be_named(environment: Environment) -> None:
    uri = f"file://{environment.claims.parent}/secrets/token"
    with locate(uri, FIELD, replace(environment, cluster=None)).open() as file:
        assert file.read() == SECRET


@pytest.mark.parametrize("name", links(Path("/x/y")))
def test_a_link_that_leads_out_of_its_claim_is_never_followed(name: str, claim: Path, environment: Environment) -> None:
    (claim / name).symlink_to(links(claim)[name])
    for below in (name, f"{name}/token"):
        path = locate(f"claim://photos/{below}", FIELD, environment)
        for use in (path.open, path.resolved, path.is_folder, lambda path=path: LocalStorage(path).make()):
            with pytest.raises(RunFailure) as refused:
                use()
            assert refused.value.class_ == "PathNotAllowed"


def test_a_relative_link_inside_a_claim_is_followed(claim: Path, environment: Environment) -> None:
    (claim / "link").symlink_to("inner/../inner/a.jpg")
    (claim / "folder").symlink_to("inner")
    for name in ("link", "folder/a.jpg"):
        with locate(f"claim://photos/{name}", FIELD, environment).open() as file:
            assert file.read() == b"image"


def test_a_link_swapped_in_after_the_check_is_an_error(
    claim: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, resolve = locate("claim://photos/inner/a.jpg", FIELD, environment), LocalPath._allowed
    (claim.parent.parent / "secrets" / "a.jpg").write_bytes(SECRET)

    def swapped(self: LocalPath, relative: str) -> list[str]:
        parts = resolve(self, relative)
        (claim / "inner").rename(claim / "moved")
        (claim / "inner").symlink_to("../../secrets")
        return parts

    monkeypatch.setattr(LocalPath, "_allowed", swapped)
    with pytest.raises(OSError, match=r"Not a directory"):
        path.open()


def test_a_pipe_is_refused_at_once(claim: Path, environment: Environment) -> None:
    os.mkfifo(claim / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        locate("claim://photos/pipe", FIELD, environment).open()


def test_links_out_of_a_claim_are_listed_without_a_look_at_their_targets(claim: Path, environment: Environment) -> None:
    for name, target in links(claim).items():
        (claim / name).symlink_to(target)
    source = LocalSource(locate("claim://photos/", FIELD, environment))
    listed = {file.key: file for file in source.objects()}
    assert set(listed) == {"inner/a.jpg", *links(claim)}
    assert {listed[name].size for name in links(claim)} == {1}
    assert {listed[name].version for name in links(claim)} == {""}
    found = source.find("relative")
    assert found is not None
    assert found.size == 1


def test_an_output_replaces_planted_links_and_writes_nothing_outside(claim: Path, environment: Environment) -> None:
    storage = LocalStorage(locate("claim://photos/table", FIELD, environment))
    storage.make()
    outside = environment.claims.parent / "secrets" / "token"
    for name in ("_SUCCESS", "_manifest.json", "kept"):
        (claim / "table" / name).symlink_to(outside)
    (claim / "table" / "folder").symlink_to(outside.parent)
    storage.write("_SUCCESS", b"")
    storage.write("x", b"x")
    storage.move("x", "_manifest.json")
    assert storage.create("kept", b"") is False
    storage.remove(["kept"])
    for call in (
        lambda: storage.write("folder/new", b""),
        lambda: storage.create("folder/new", b""),
        lambda: storage.move("_SUCCESS", "folder/new"),
        lambda: storage.remove(["folder/token"]),
        lambda: storage.read("folder/token"),
        lambda: storage.files("folder"),
    ):
        with pytest.raises(RunFailure) as refused:
            call()
        assert refused.value.class_ == "PathNotAllowed"
    assert [file.path for file in storage.files("")] == ["_SUCCESS", "_manifest.json"]
    assert outside.read_bytes() == SECRET
    assert [file.name for file in outside.parent.iterdir()] == ["token"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.extractor.model", {"prototxt": "s3://b/k", "weights": "file:///dev/null", "sha256": "0" * 64}),
        ("spec.extractor.model", {"onnx": "file:///etc/passwd", "sha256": "0" * 64}),
        ("spec.extractor.model", {"onnx": "package:evil==1/x.onnx", "sha256": "0" * 64}),
        ("spec.source", {"files": {"uri": "file:///etc"}}),
        ("spec.source", {"files": {"uri": "file:///mnt/featx/claims-of-others/x"}}),
        ("spec.source", {"files": {"uri": "file:///etc"}, "packed": {"format": "tar"}}),
        ("spec.source", {"claim": {"name": "photos", "path": "inner"}, "changedSince": "file:///etc"}),
        ("spec.source", {"hbase": SNAPSHOT}),
        ("spec.output", {"uri": "file:///var/featx/table"}),
    ],
)
def test_no_field_of_a_spec_reaches_another_file(
    path: str, value: object, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featx_job.models.packages.fetch", lambda *_: pytest.fail("pip must not run in a pod"))
    spec = FeatureExtraction.model_validate(changed(path, value)).spec
    job = JobSpec(name="good", namespace="team", uid="u-1", attempt=1, spec=spec)
    hadoop = Hadoop(dict, 0)
    with pytest.raises(RunFailure) as refused:
        if path.startswith("spec.extractor"):
            fetch.network(spec, spec.extractor.described, "spec.extractor.model", environment)
        elif path.startswith("spec.output"):
            open_output(job, environment, hadoop)
        else:
            plan_shards(spec, environment, hadoop, None)
    assert refused.value.class_ == "PathNotAllowed"
    assert re.match(r"^spec\.(extractor|source|output)\.", str(refused.value))


def test_folders_nested_without_end_are_the_sources_fault(environment: Environment, claim: Path) -> None:
    folder = os.open(claim, os.O_RDONLY)
    for _ in range(300):  # pytest removes them by recursion
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    source = LocalSource(locate("claim://photos", FIELD, environment))
    with pytest.raises(RunFailure, match="nested more than 256 deep") as refused:
        list(source.objects())
    assert refused.value.class_ == "SourceNotSupported"
