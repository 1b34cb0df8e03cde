"""`featx import tfjs` says what is wrong with a model before it starts a converter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from featx_cli.__main__ import main

MODEL = json.dumps({"weightsManifest": [{"paths": ["group1-shard1of2", "group1-shard2of2"]}]})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file"),
        ("", "is not a model of TensorFlow.js; pass its model.json"),
        ("\xff\xd8", "is not a model of TensorFlow.js"),
        ("[]", "is not a model of TensorFlow.js"),
        ('{"weightsManifest": 1}', "is not a model of TensorFlow.js"),
        (MODEL, "its weights are missing: put group1-shard2of2 beside it"),
    ],
)
def test_a_file_that_cannot_be_converted_is_named(
    content: str | None, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "group1-shard1of2").touch()
    if content is not None:
        (tmp_path / "model.json").write_text(content, encoding="latin-1")
    assert main(["import", "tfjs", str(tmp_path / "model.json"), "--output", str(tmp_path / "out.onnx")]) == 2
    shown = capsys.readouterr().err
    assert problem in shown and "Traceback" not in shown


def test_a_folder_is_not_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "tfjs", str(tmp_path), "--output", str(tmp_path / "out.onnx")]) == 2
    assert "is a folder; pass the model.json in it" in capsys.readouterr().err
