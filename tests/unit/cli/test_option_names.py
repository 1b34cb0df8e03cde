"""Failures of a run without a file name options, and say how to set what has none."""

from __future__ import annotations

import argparse

import pytest
from featx_cli import from_options, option_names
from featx_cli.__main__ import main


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("spec.source.files.uri: folder /a not found", "--images: folder /a not found"),
        ("spec.extractor.model.onnx: no", "--model: no"),
        ("spec.extractor.layer: x, not spec.extractor.layers", "--layer: x, not spec.extractor.layers"),
        ("more than spec.errors.maxFailedFraction 0.01 allows", "more than --max-failed-fraction 0.01 allows"),
        ("metadata.name: must be short", "--name: must be short"),
        ("nothing about fields, e.g. my.spec.txt", "nothing about fields, e.g. my.spec.txt"),
    ],
)
def test_a_field_is_named_by_the_option_that_sets_it(message: str, shown: str) -> None:
    assert option_names.translated(message, "\n").split("\n")[0] == shown


def test_what_has_no_option_is_set_in_the_saved_file() -> None:
    shown = option_names.translated("spec.output.uri: full; raise spec.limits.megapixels or spec.execution.memory")
    assert shown == (
        "--output: full; raise spec.limits.megapixels or spec.execution.memory; no option sets spec.execution.memory, "
        "spec.limits.megapixels: save the resource with --write FILE, change it there, and run FILE"
    )
    assert option_names.translated("spec.output.uri: full") == "--output: full"


def test_every_option_that_is_named_exists() -> None:
    parser = argparse.ArgumentParser()
    from_options.add_arguments(parser)
    known = {option for action in parser._actions for option in action.option_strings}
    assert set(option_names.OPTIONS.values()) <= known


def test_a_wrong_resource_made_from_options_is_reported_by_its_options(
    tmp_path: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    options = ["--images", ".", "--model", "squeezenet", "--max-failed-fraction", "2"]
    part = {"model": {"onnx": "file:///net.onnx", "sha256": "0" * 64}, "layer": "pool"}
    monkeypatch.setattr("featx_cli.named_models.EXTRACTORS", {"squeezenet": lambda: part})
    assert main(["run", *options, "--output", "/elsewhere/out"]) == 2
    shown = capsys.readouterr().err
    assert "  --max-failed-fraction: must be" in shown
    assert "spec." not in shown
