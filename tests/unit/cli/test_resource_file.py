"""Invalid resource files are refused in lines that name the field, without a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from featx_cli import resource_file
from featx_cli.__main__ import main
from featx_cli.errors import CommandError

from tests.support.bad_resources import changed, good


def written(tmp_path: Path, *documents: object) -> Path:
    path = tmp_path / "resource.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return path


def test_a_resource_is_found_among_other_documents(tmp_path: Path) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "store"}}
    assert resource_file.read(written(tmp_path, secret, good())).name == "good"


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
