"""People type paths: relative ones, with `~`, blanks and any script, on the command line and in files."""

from __future__ import annotations

from pathlib import Path

import pytest
from featx_cli.errors import CommandError
from featx_cli.local_addresses import is_path, to_address, with_addresses

HERE = Path("/work/project")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("photos", "file:///work/project/photos"),
        ("./photos/", "file:///work/project/photos"),
        ("../photos", "file:///work/photos"),
        (".", "file:///work/project"),
        ("/data/my photos", "file:///data/my photos"),
        ("größe/写真/☃", "file:///work/project/größe/写真/☃"),
        ("100%", "file:///work/project/100%"),
        ("~/photos", "file:///home/ada/photos"),
        ("file://photos", "file:///work/project/photos"),
        ("file:photos", "file:///work/project/photos"),
        ("file:/data", "file:///data"),
        ("a:b", "file:///work/project/a:b"),
    ],
)
def test_a_path_becomes_an_address(text: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert to_address(text, HERE) == address


@pytest.mark.parametrize(
    "address",
    [
        "s3://bucket/a",
        "hdfs://name:8020/a",
        "claim://images/a",
        "file:///data/my photos",
        "package:scikit-image==0.25.2/skimage",
        "http://example.test/a",
        "",
    ],
)
def test_an_address_stays_as_it_is(address: str) -> None:
    assert not is_path(address)
    assert to_address(address, HERE) == address


def test_a_path_through_a_link_leads_where_the_system_says(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/inner")
    assert to_address("link/../photos", tmp_path) == f"file://{tmp_path.resolve()}/real/photos"
    assert to_address("link/photos", tmp_path) == f"file://{tmp_path}/link/photos"


def test_a_path_that_is_no_text_is_refused_in_words() -> None:
    with pytest.raises(CommandError, match="not UTF-8"):
        to_address("caf\udce9", HERE)


def test_the_home_of_nobody_is_refused_in_words() -> None:
    with pytest.raises(CommandError, match="no such home directory"):
        to_address("~nobody-has-this-name/photos", HERE)


def test_the_paths_of_a_resource_are_replaced_and_nothing_else() -> None:
    spec = {
        "source": {"files": {"uri": "photos"}, "changedSince": "old", "keys": ["a"]},
        "detector": {"model": {"prototxt": "a.prototxt", "weights": "a.caffemodel"}},
        "extractor": {"model": {"onnx": "s3://models/a.onnx"}, "layer": "pool"},
        "output": {"uri": "table"},
    }
    assert with_addresses({"spec": spec}, HERE) == {
        "spec": {
            "source": {"files": {"uri": "file:///work/project/photos"}, "changedSince": "file:///work/project/old"}
            | {"keys": ["a"]},
            "detector": {
                "model": {
                    "prototxt": "file:///work/project/a.prototxt",
                    "weights": "file:///work/project/a.caffemodel",
                }
            },
            "extractor": {"model": {"onnx": "s3://models/a.onnx"}, "layer": "pool"},
            "output": {"uri": "file:///work/project/table"},
        }
    }


@pytest.mark.parametrize(
    "spec", [None, [], "text", {"source": "photos"}, {"output": {"uri": 5}}, {"source": {"s3": 1}}]
)
def test_what_is_no_resource_is_left_for_the_validation(spec: object) -> None:
    assert with_addresses({"spec": spec}, HERE) == {"spec": spec}
