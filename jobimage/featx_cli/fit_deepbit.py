"""`featx fit-deepbit RESOURCE`: fits a hash layer to a source's own images, and writes the extractor with that layer.

It needs neither labels nor a table: it samples images from the whole source, rotates them, and runs them through the
resource's own models on this machine.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from featx_api.execution import Errors, Output
from featx_api.resource import FeatureExtraction
from featx_api.source import FilesSource, Source
from featx_api.text import counted
from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.models import fetch
from featx_job.nets.errors import ModelError
from featx_job.source.local import LocalSource
from featx_job.source.open import open_source
from featx_job.source.s3 import BucketSource
from featx_job.source.selection import Selection, Skipped, selected
from numpy.typing import NDArray

from featx_cli import resource_file, run, terminal
from featx_cli.errors import CommandError

if TYPE_CHECKING:
    from featx_retrieval.deepbit import Hash

Features = NDArray[np.float32]
BITS = (16, 32, 64, 128, 256)


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("fit-deepbit", help="fit a DeepBit layer to the images of a resource's source")
    parser.add_argument("file", type=Path, help="YAML file with the resource; source, detector and extractor are used")
    parser.add_argument("--output", type=Path, required=True, help="ONNX file to write: the extractor with the layer")
    parser.add_argument("--bits", type=int, default=64, choices=BITS, help="number of bits of a code (default: 64)")
    parser.add_argument("--images", type=int, default=1000, help="number of source images to fit on (default: 1000)")
    run.add_arguments(parser)
    parser.set_defaults(run=_fit)


def _fit(parsed: argparse.Namespace) -> int:
    loaded = resource_file.load(parsed.file)
    with run.local_environment(loaded.resource.name, parsed) as (environment, console, _):
        resource = loaded.pinned(environment).resource
        try:
            data, report = _fitted(resource, environment, parsed.bits, parsed.images, console)
        except RunFailure as failure:
            raise CommandError(f"{failure.class_}: {failure}") from None
        except ModelError as error:
            raise CommandError(f"spec.extractor: {error}") from None
        parsed.output.parent.mkdir(parents=True, exist_ok=True)
        parsed.output.write_bytes(data)
        terminal.show(console, report)
        digest, layer = hashlib.sha256(data).hexdigest(), resource.spec.extractor.feature_layer
        text = EXTRACTOR.format(output=parsed.output, sha256=digest, layer=layer)
        for line in text.splitlines():
            terminal.show(console, line)
    return 0


EXTRACTOR = """  extractor:  # upload {output} to where your cluster reads models, and put its URI here
    model: {{onnx: "s3://…", sha256: {sha256}}}
    layer: {layer}
    binarize: {{method: fixed, threshold: 0, layer: deepbit}}"""


def _fitted(
    resource: FeatureExtraction, environment: Environment, bits: int, images: int, console: Any
) -> tuple[bytes, str]:
    """The extractor with the layer as ONNX, and a sentence on the layer's quality."""
    # Imported here, so that `featx run` needs neither OpenCV nor pyarrow.
    from featx_retrieval import deepbit, hash_layer

    extractor = resource.spec.extractor
    network = fetch.network(resource.spec, extractor.described, "spec.extractor.model", environment)
    network.up_to_layer(extractor.feature_layer)  # a wrong name fails before images are fetched
    originals, *rotated = _features(resource, environment, images, console)
    try:
        layer = deepbit.fit(originals, bits, rotated)
    except deepbit.TooManyBits as error:
        fewer = "fewer --bits or " if bits > min(BITS) else ""
        raise CommandError(f"{error}: use {fewer}more --images") from None
    return hash_layer.append(network, extractor.feature_layer, layer), _report(layer, bits, originals, rotated)


def _report(layer: Hash, bits: int, originals: Features, rotated: Sequence[Features]) -> str:
    codes = layer.bits(originals)
    stable = np.mean([(layer.bits(view) == codes).mean() for view in rotated])
    ones = codes.mean(axis=0)
    return (
        f"{counted(bits, 'bit')} from {counted(len(originals), 'image')}; a bit is set in "
        f"{ones.min():.0%} to {ones.max():.0%} of them, "
        f"and stays the same for {stable:.0%} of those rotated by 5 or 10 degrees"
    )


def _features(resource: FeatureExtraction, environment: Environment, images: int, console: Any) -> list[Features]:
    """The features of the original images, then of the same images rotated by each of DeepBit's angles."""
    from featx_retrieval import rotation, table

    with tempfile.TemporaryDirectory(dir=environment.work) as text:
        folder, output = Path(text) / "images", Path(text) / "table"
        if not rotation.write(_sample(resource, environment, images), folder):
            raise CommandError("spec.source: none of its images can be decoded")
        spec = resource.spec.model_copy(
            update={
                "source": Source(files=FilesSource(uri=folder.as_uri())),
                "output": Output(uri=output.as_uri()),
                "errors": Errors(max_failed_fraction=1),
            }
        )
        job = run.local_job(resource.model_copy(update={"spec": spec}))
        outcome = run.run_with_bar(job, environment, console)
        if outcome.failure:
            raise CommandError(f"{outcome.failure.class_}: {outcome.failure.message}")
        try:
            rows = table.read(output.as_uri(), ["key", "feature"])
        except table.TableError as error:
            raise CommandError(str(error)) from None
    assert rows.features is not None
    return rotation.by_angle(rows.keys, rows.features)


def _sample(resource: FeatureExtraction, environment: Environment, images: int) -> Iterator[bytes]:
    """Yields images spread over the whole source, without those too large for a run."""
    no_hadoop = Hadoop(dict, patience=0)
    source = open_source(resource.spec, environment, no_hadoop)
    if not isinstance(source, BucketSource | LocalSource):
        raise CommandError(
            "spec.source: only s3, claim and local files can be sampled: copy a few thousand images to one of these"
        )
    largest = resource.spec.limits.mebibytes * 1024 * 1024
    selection = Selection(tuple(resource.spec.source.include), tuple(resource.spec.source.exclude), source.root)
    files = source.objects(in_hidden_folders=selection.opens_hidden_folders)
    listed = [image for image in selected(files, selection, Skipped()) if image.size <= largest]
    for image in listed[:: max(1, len(listed) // images)][:images]:
        yield source.read(image.key)
