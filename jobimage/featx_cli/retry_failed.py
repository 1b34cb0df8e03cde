"""`featx retry-failed RESOURCE`: prints the resource of a new run over the images in a run's quarantine."""

from __future__ import annotations

import argparse
import collections
import copy
import sys
from pathlib import Path
from typing import Any

from featx_cli import resource_file
from featx_cli.errors import CommandError

MOST_KEYS = 5000  # that a resource can name (featx_api.source.Source)


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("retry-failed", help="print a resource that retries the images in a run's quarantine")
    parser.add_argument("file", type=Path, help="YAML file with the resource whose run has finished")
    parser.add_argument("--reason", help="retry only images that failed for this reason, such as TooManyPixels")
    parser.add_argument(
        "--suffix",
        default="-retry",
        help="suffix of the new resource's name, and of its output unless that is incremental (default: -retry)",
    )
    parser.set_defaults(run=_retry)


def _retry(parsed: argparse.Namespace) -> int:
    loaded = resource_file.load(parsed.file)
    resource = loaded.resource
    output = resource.spec.output
    keys = _quarantined(output.uri, resource.spec.store_of(output.s3).endpoint, parsed.reason)
    document = copy.deepcopy(loaded.document)
    document["metadata"] = {**document["metadata"], "name": f"{resource.name}{parsed.suffix}"}
    for choice in ("changedSince", "list"):
        document["spec"]["source"].pop(choice, None)  # the keys say which images
    document["spec"]["source"]["keys"] = keys
    if output.mode == "create":
        document["spec"]["output"]["uri"] = f"{output.uri.rstrip('/')}{parsed.suffix}"
    retry = resource_file.from_document(parsed.file, document, Path.cwd())
    sys.stdout.write(retry.to_yaml())
    return 0


def _quarantined(uri: str, endpoint: str | None, reason: str | None) -> list[str]:
    """The keys of the images to retry.

    Raises:
        CommandError: The quarantine can't be read, holds no such image, or more than a resource can name.
    """
    from featx_retrieval import table  # imported here, so that `featx run` needs no pyarrow

    try:
        reasons = table.quarantined(uri.rstrip("/"), endpoint)
    except table.TableError as error:
        raise CommandError(f"spec.output.uri: {error}") from None
    keys = sorted(key for key, why in reasons.items() if reason in (None, why))
    if not reasons:
        raise CommandError(f"{uri}: the quarantine is empty, so there is nothing to retry")
    if not keys:
        counts = ", ".join(f"{why} ({count})" for why, count in collections.Counter(reasons.values()).items())
        raise CommandError(f"{uri}: no image failed for --reason {reason}; the reasons are {counts}")
    if len(keys) > MOST_KEYS:
        raise CommandError(
            f"{uri}: {len(keys):,} images failed, but a resource can name only {MOST_KEYS:,}: choose some with "
            "--reason, or run the whole resource again with another output"
        )
    return keys
