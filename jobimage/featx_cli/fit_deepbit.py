"""`featx fit-deepbit RESOURCE`: fits a hash layer to a run's own images, and writes the extractor with it.

No labels and no table are needed: images are taken from all over the source, turned, and run through the resource's
own nets on this machine.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from featx_api.execution import Errors, Output
from featx_api.resource import FeatureExtraction
from featx_api.source import FilesSource, Source
from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.models import fetch
from featx_job.nets.errors import ModelError
from featx_job.source.local import LocalSource
from featx_job.source.open import open_source
from featx_job.source.s3 import BucketSource
from numpy.typing import NDArray

from featx_cli import resource_file, run
from featx_cli.errors import CommandError


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    fit = commands.add_parser("fit-deepbit", help="fit a DeepBit layer to the images of a resource")
    fit.add_argument("file", type=Path, help="YAML file with the resource: its source, detector and extractor count")
    fit.add_argument("--output", type=Path, required=True, help="the extractor with the layer, an ONNX file")
    fit.add_argument("--bits", type=int, default=64, choices=[16, 32, 64, 128, 256], help="bits of a code (default 64)")
    fit.add_argument("--images", type=int, default=1000, help="of the source, that it is fitted to (default 1000)")
    run.add_arguments(fit)
    fit.set_defaults(run=_fit)


def _fit(parsed: argparse.Namespace) -> int:
    from featx_retrieval import deepbit, hash_layer  # here, so that `featx run` needs neither OpenCV nor pyarrow
    from featx_retrieval.baselines import TooManyBits

    resource = resource_file.read(parsed.file)
    spec = resource.spec
    with run.local_environment(resource.name, parsed) as (environment, console):
        try:
            network = fetch.network(spec, spec.extractor.model, "spec.extractor.model", environment)
            network.up_to_layer(spec.extractor.layer)  # a wrong name is said before images are fetched
            as_they_are, *turned = _features(resource, environment, parsed.images, console)
            layer = deepbit.fit(as_they_are, parsed.bits, turned)
            data = hash_layer.appended(network, spec.extractor.layer, layer)
        except RunFailure as failure:
            raise CommandError(f"{failure.class_}: {failure}") from None
        except ModelError as error:
            raise CommandError(f"spec.extractor: {error}") from None
        except TooManyBits as error:
            raise CommandError(f"{error}: take fewer --bits or more --images") from None
        parsed.output.parent.mkdir(parents=True, exist_ok=True)
        parsed.output.write_bytes(data)
        kept = np.mean([(layer.bits(each) == layer.bits(as_they_are)).mean() for each in turned])
        ones = layer.bits(as_they_are).mean(axis=0)
        balance = f"{ones.min():.0%} to {ones.max():.0%}"
        console.print(
            f"{parsed.bits} bits from {len(as_they_are)} images; a bit is set in {balance} of them, "
            f"and is the same for {kept:.0%} of those that were turned by 5 or 10 degrees",
            highlight=False,
        )
        text = EXTRACTOR.format(
            output=parsed.output, sha256=hashlib.sha256(data).hexdigest(), layer=spec.extractor.layer
        )
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    return 0


EXTRACTOR = """  extractor:  # upload {output} to where your cluster reads models, and address it there
    model: {{onnx: "s3://…", sha256: {sha256}}}
    layer: {layer}
    binarize: {{method: fixed, threshold: 0, layer: deepbit}}"""


def _features(
    resource: FeatureExtraction, environment: Environment, images: int, console: Any
) -> list[NDArray[np.float32]]:
    """Returns the features of images as they are, and of the same turned by each of DeepBit's angles."""
    from featx_retrieval import table, turned

    with tempfile.TemporaryDirectory(dir=environment.work) as text:
        folder, output = Path(text) / "images", Path(text) / "table"
        if not turned.write(_sample(resource, environment, images), folder):
            raise CommandError("spec.source: it holds no image that can be decoded")
        spec = resource.spec.model_copy(
            update={
                "source": Source(files=FilesSource(uri=folder.as_uri())),
                "output": Output(uri=output.as_uri()),
                "errors": Errors(max_failed_fraction=1),
            }
        )
        outcome = run.with_bar(run.job_of(resource.model_copy(update={"spec": spec})), environment, console)
        if outcome.failure:
            raise CommandError(f"{outcome.failure.class_}: {outcome.failure.message}")
        try:
            read = table.read(output.as_uri(), ["key", "feature"])
        except table.TableError as error:
            raise CommandError(str(error)) from None
    assert read.features is not None
    return turned.by_angle(read.keys, read.features)


def _sample(resource: FeatureExtraction, environment: Environment, images: int) -> Iterator[bytes]:
    """Yields images from all over the source; those too large for a run are left out, as it would."""
    nobody = Hadoop(dict, patience=0)
    source = open_source(resource.spec, environment, nobody)
    if not isinstance(source, BucketSource | LocalSource):
        raise CommandError(
            "spec.source: images are sampled of s3, claim and local files only: copy some thousand there"
        )
    listed = [each for each in source.objects() if each.size <= resource.spec.limits.mebibytes * 1024 * 1024]
    for each in listed[:: max(1, len(listed) // images)][:images]:
        yield source.read(each.key)
