"""`featx fit-deepbit TABLE`: fits the hash layer to a table's features and writes the extractor with it."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

from featx_cli.errors import CommandError


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    fit = commands.add_parser("fit-deepbit", help="fit a DeepBit layer to a table's features")
    fit.add_argument("table", help="a finished run's table: a folder, file:///... or s3://bucket/prefix")
    fit.add_argument("--prototxt", type=Path, required=True, help="the extractor that made the table")
    fit.add_argument("--weights", type=Path, required=True, help="its caffemodel")
    fit.add_argument("--layer", required=True, help="the layer that is the table's feature")
    fit.add_argument("--bits", type=int, default=64, choices=[16, 32, 64, 128, 256], help="bits of a code (default 64)")
    fit.add_argument(
        "--turned",
        nargs=4,
        default=[],
        metavar="TABLE",
        help="tables of the same pictures turned by -10, -5, 5 and 10 degrees, for the rotation loss",
    )
    fit.add_argument("--output", type=Path, required=True, help="folder for deepbit.prototxt and deepbit.caffemodel")
    fit.add_argument("--endpoint", help="the S3 server; AWS_* variables hold the credentials")
    fit.set_defaults(run=_fit)


def _fit(parsed: argparse.Namespace) -> int:
    from featx_job.nets.errors import ModelError
    from featx_retrieval import deepbit, hash_layer, table
    from featx_retrieval.baselines import TooManyBits

    try:
        prototxt, weights = parsed.prototxt.read_text(), parsed.weights.read_bytes()
        features, turned = table.aligned(parsed.table, parsed.turned, parsed.endpoint)
        layer = deepbit.fit(features, parsed.bits, turned)
        text, data = hash_layer.appended(prototxt, weights, parsed.layer, layer)
    except OSError as error:
        raise CommandError(f"{error.filename} can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise CommandError(f"--prototxt {parsed.prototxt} is no text") from None
    except (ModelError, TooManyBits, table.TableError) as error:
        raise CommandError(str(error)) from None
    parsed.output.mkdir(parents=True, exist_ok=True)
    (parsed.output / "deepbit.prototxt").write_text(text)
    (parsed.output / "deepbit.caffemodel").write_bytes(data)
    ones = layer.bits(features).mean(axis=0)
    share = f"{ones.min():.0%} to {ones.max():.0%}"
    print(f"{parsed.bits} bits from {len(features)} pictures; a bit is set in {share} of them")
    print(f"  model: prototxt {parsed.output / 'deepbit.prototxt'}, weights {parsed.output / 'deepbit.caffemodel'}")
    print(f"  sha256: {hashlib.sha256(data).hexdigest()}")
    print("  spec.extractor: layer: deepbit, binarize: {method: fixed, threshold: 0}")
    return 0
