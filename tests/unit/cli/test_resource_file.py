"""Invalid resource files are refused in lines that name the field, without a traceback."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from featx_cli import resource_file
from featx_cli.__main__ import main
from featx_cli.errors import CommandError
from featx_job.environment import Environment

from tests.support.bad_resources import changed, good


def written(tmp_path: Path, *documents: object) -> Path:
    path = tmp_path / "resource.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return path


def test_a_resource_is_found_among_other_documents(tmp_path: Path) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "store"}}
    assert resource_file.read(written(tmp_path, secret, good())).name == "good"


def named(**spec: Any) -> dict[str, Any]:
    """A model as a document."""
    return {"kind": "VisionModel", "metadata": {"name": "resnet"}, "spec": spec}


def test_a_reference_is_resolved_by_a_model_of_the_same_file(tmp_path: Path) -> None:
    model = {"onnx": "s3://models/resnet.onnx", "sha256": "0" * 64}
    run = changed("spec.extractor", {"modelRef": {"name": "resnet"}})
    run["spec"]["detector"] = {"modelRef": {"name": "resnet"}}
    spec = resource_file.read(written(tmp_path, named(model=model, input={"scale": 2}, layer="pool"), run)).spec
    assert (spec.extractor.layer, spec.extractor.input.scale) == ("pool", 2)
    assert spec.extractor.described.s3 and spec.extractor.described.s3.endpoint is None
    assert spec.detector and spec.detector.described.onnx == "s3://models/resnet.onnx"


@pytest.mark.parametrize(
    ("models", "extractor", "text"),
    [
        ([], {}, "VisionModel resnet not found: put it into the same file"),
        ([named(), named()], {}, "found more than once"),
        ([named()], {"input": {"scale": 2}}, "input requires model"),
        ([named(model={"onnx": "s3://a/b"})], {}, "layer is missing"),
    ],
)
def test_a_reference_that_leads_nowhere_is_reported(
    tmp_path: Path, models: list[Any], extractor: dict[str, Any], text: str
) -> None:
    run = changed("spec.extractor", {"modelRef": {"name": "resnet"}, **extractor})
    with pytest.raises(CommandError, match=text):
        resource_file.read(written(tmp_path, *models, run))


@pytest.mark.parametrize("documents", [[], [good(), good()]], ids=["none", "two"])
def test_a_file_must_contain_one_resource(tmp_path: Path, documents: list[object]) -> None:
    with pytest.raises(CommandError, match="must contain one resource of kind FeatureExtraction, but contains"):
        resource_file.read(written(tmp_path, *documents))


def test_a_file_that_is_not_yaml_is_reported_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("spec: [1, 2\n")
    with pytest.raises(CommandError, match=r"bad\.yaml is not YAML.*line 2"):
        resource_file.read(path)


def test_each_bad_field_is_reported_in_a_line_with_its_value(tmp_path: Path) -> None:
    bad = changed("spec.detector.scoreThreshold", 7)
    bad["spec"]["extractor"]["layr"] = "pool"
    with pytest.raises(CommandError) as refusal:
        resource_file.read(written(tmp_path, bad))
    lines = str(refusal.value).splitlines()
    assert any("spec.detector.scoreThreshold" in line and "it is 7" in line for line in lines)
    assert "  spec.extractor.layr: unknown field; did you mean layer?" in lines


def test_a_missing_file_is_reported_in_one_line_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "/no/such/file.yaml"]) == 2
    assert capsys.readouterr().err == "error: /no/such/file.yaml: No such file or directory\n"


def model_without_digest(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "net.onnx").write_bytes(b"weights")
    document = changed("spec.extractor.model", {"onnx": "net.onnx"})
    document["spec"]["source"] = {"files": {"uri": "my photos"}}
    return document


def test_paths_start_at_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, model_without_digest(tmp_path))
    monkeypatch.chdir("/")
    spec = resource_file.read(path).spec
    assert spec.source.files is not None
    assert spec.source.files.uri == f"file://{tmp_path}/my photos"
    assert spec.extractor.described.onnx == f"file://{tmp_path}/net.onnx"


def test_a_missing_digest_is_computed_and_written(tmp_path: Path) -> None:
    loaded = resource_file.load(written(tmp_path, model_without_digest(tmp_path)))
    assert loaded.unpinned == ("extractor",)
    pinned = loaded.pinned(Environment(jars=tmp_path, work=tmp_path))
    digest = hashlib.sha256(b"weights").hexdigest()
    assert pinned.resource.spec.extractor.described.sha256 == digest
    pinned.write(tmp_path / "new" / "pinned.yaml")
    again = resource_file.load(tmp_path / "new" / "pinned.yaml")
    assert (again.resource, again.unpinned) == (pinned.resource, ())


def test_a_digest_that_is_given_is_kept_even_if_it_is_all_zeros(tmp_path: Path) -> None:
    document = changed("spec.extractor.model.sha256", "0" * 64)
    assert resource_file.load(written(tmp_path, document)).unpinned == ()


def test_a_model_that_is_missing_is_named_before_anything_runs(tmp_path: Path) -> None:
    path = written(tmp_path, model_without_digest(tmp_path))
    (tmp_path / "net.onnx").unlink()
    with pytest.raises(CommandError, match=r"ModelNotFound: spec\.extractor\.model\.onnx: .*net\.onnx"):
        resource_file.load(path).pinned(Environment(jars=tmp_path, work=tmp_path))


def test_a_file_that_holds_something_else_is_not_overwritten(tmp_path: Path) -> None:
    loaded = resource_file.load(written(tmp_path, good()))
    (tmp_path / "other.yaml").write_text("mine")
    with pytest.raises(CommandError, match=r"--write .*other\.yaml: the file exists"):
        loaded.write(tmp_path / "other.yaml")
    loaded.write(tmp_path / "saved.yaml")
    loaded.write(tmp_path / "saved.yaml")


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.stdin", Mock(buffer=io.BytesIO(yaml.safe_dump(model_without_digest(tmp_path)).encode())))
    monkeypatch.chdir(tmp_path)
    assert resource_file.read(Path("-")).spec.extractor.described.onnx == f"file://{tmp_path}/net.onnx"


def test_a_folder_in_place_of_a_file_is_pointed_to_its_option(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"is a folder.*passed with --images"):
        resource_file.read(tmp_path)
