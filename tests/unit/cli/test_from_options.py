"""Without a file, the options describe a run; what is missing or wrong is said by the option's name."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import pytest
from featx_cli import from_options, named_models
from featx_cli.errors import CommandError
from featx_cli.resource_file import LocalResource

from tests.support.tiny_models import tiny_extractor, write_tiny_extractor, write_tiny_ssd

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hidden"}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a folder of images, a model and a name that stands for the same model."""
    (tmp_path / "my photos").mkdir()
    (tmp_path / "nets").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    net = write_tiny_extractor(tmp_path / "nets")
    part = {"model": {"onnx": f"file://{net.caffemodel}", "sha256": "0" * 64}, "layer": "pool"}
    monkeypatch.setattr(named_models, "EXTRACTORS", {"squeezenet": lambda: part})
    return tmp_path


def made(*arguments: str, environment: Mapping[str, str] | None = None) -> LocalResource:
    parser = argparse.ArgumentParser()
    from_options.add_arguments(parser)
    return from_options.resource(parser.parse_args(arguments), environment or {})


def test_paths_and_a_name_are_enough(project: Path) -> None:
    loaded = made("--images", "my photos", "--model", "squeezenet", "--output", "out/Meine Tabelle")
    assert loaded.resource.name == "meine-tabelle"
    assert loaded.document["spec"] == {
        "source": {"files": {"uri": f"file://{project}/my photos"}},
        "extractor": named_models.EXTRACTORS["squeezenet"](),
        "output": {"uri": f"file://{project}/out/Meine Tabelle"},
    }
    assert loaded.unpinned == ()


def test_a_caffe_model_is_taken_with_the_weights_next_to_it(project: Path) -> None:
    loaded = made("--images", ".", "--model", "nets/tiny_extractor.prototxt", "--output", "out", "--layer", "pool")
    model = loaded.document["spec"]["extractor"]["model"]
    folder = f"file://{project}/nets/tiny_extractor"
    assert model == {"prototxt": f"{folder}.prototxt", "weights": f"{folder}.caffemodel"}
    assert loaded.unpinned == ("extractor",)


def test_the_only_output_of_a_model_is_its_feature(project: Path) -> None:
    ssd = write_tiny_ssd(project / "other")
    loaded = made("--images", ".", "--model", str(ssd.prototxt), "--output", "out")
    assert loaded.resource.spec.extractor.layer == "detection_out"


def test_class_probabilities_are_no_feature() -> None:
    with pytest.raises(CommandError, match=r"--layer is missing: .* ends in class probabilities; .*before are .*hash"):
        made("--images", ".", "--model", "nets/tiny_extractor.prototxt", "--output", "out")


def test_of_several_outputs_one_must_be_chosen(project: Path) -> None:
    net = tiny_extractor()
    net.layer("ReLU", "second", ["pool"])
    files = net.write(project, "two")
    with pytest.raises(CommandError, match=r"--layer is missing: two\.prototxt has 2 outputs, such as prob, second"):
        made("--images", ".", "--model", "two.prototxt", "--output", "out")
    loaded = made("--images", ".", "--model", "two.prototxt", "--output", "out", "--layer", "second")
    assert loaded.document["spec"]["extractor"]["model"]["weights"] == f"file://{files[1]}"


def test_a_bucket_is_reached_as_aws_variables_say() -> None:
    variables = KEYS | {"AWS_ENDPOINT_URL": "http://s3.store:8333", "AWS_REGION": "eu-west-1"}
    loaded = made(
        "--images=s3://shop/photos", "--model=squeezenet", "--output=s3://features/shop/", environment=variables
    )
    access = {"endpoint": "http://s3.store:8333", "region": "eu-west-1", "podIdentity": True}
    assert loaded.document["spec"]["source"] == {"s3": access | {"bucket": "shop", "prefix": "photos/"}}
    assert loaded.document["spec"]["output"] == {"uri": "s3://features/shop"}
    assert "hidden" not in loaded.to_yaml()


def test_a_public_bucket_needs_no_identity() -> None:
    loaded = made("--images=s3://shop", "--model=squeezenet", "--output=out")
    assert loaded.document["spec"]["source"] == {"s3": {"bucket": "shop"}}


def test_a_table_in_a_bucket_of_local_images_has_an_access_of_its_own() -> None:
    loaded = made("--images=.", "--model=squeezenet", "--output=s3://features/a", "--endpoint=http://s3:1")
    assert loaded.document["spec"]["output"] == {"uri": "s3://features/a", "s3": {"endpoint": "http://s3:1"}}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "missing: --images, --model, --output; without a FILE"),
        (["--images", ".", "--model", "squeezenet"], "missing: --output; without a FILE"),
        (["--images", "nowhere", "--model", "squeezenet", "--output", "o"], "--images nowhere: no such folder"),
        (
            ["--images", "nets/tiny_extractor.prototxt", "--model", "squeezenet", "--output", "o"],
            "is a file: pass its folder",
        ),
        (["--images", ".", "--model", "resnet", "--output", "o"], "--model resnet: no such file.*squeezenet"),
        (
            ["--images", ".", "--model", "squeezenet", "--detector", "dogs", "--output", "o"],
            "--detector dogs: no such file.*coco, faces",
        ),
        (["--images", ".", "--model", "s3://models/a.onnx", "--output", "o"], "--layer is missing"),
        (["--images", ".", "--model", "s3://models/a.prototxt", "--output", "o"], "--weights is missing"),
        (["--images", ".", "--model", "nets/tiny_extractor.caffemodel", "--output", "o"], "not an ONNX model"),
        (["--images", ".", "--model", "squeezenet", "--output", "o", "--name", "a" * 49], "metadata.name"),
        (["--images", "s3://Shop", "--model", "squeezenet", "--output", "o"], "spec.source.s3.bucket.*'Shop'"),
        (["--images", "http://a.b/c", "--model", "squeezenet", "--output", "o"], "spec.source.files.uri"),
    ],
)
def test_a_mistake_is_named_by_its_option(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        made(*arguments)


def test_weights_that_are_not_the_only_ones_must_be_named(project: Path) -> None:
    (project / "nets" / "tiny_extractor.caffemodel").rename(project / "nets" / "a.caffemodel")
    write_tiny_ssd(project / "nets")
    with pytest.raises(CommandError, match=r"--weights is missing: .*nets has 2 \.caffemodel files"):
        made("--images", ".", "--model", "nets/tiny_extractor.prototxt", "--output", "out")
