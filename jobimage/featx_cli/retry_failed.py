"""`featx retry-failed RESOURCE`: the resource of a new run over just those images that are in quarantine."""

from __future__ import annotations

import argparse
import collections
import sys
from pathlib import Path
from typing import Any

import yaml

from featx_cli import resource_file
from featx_cli.errors import CommandError

MOST = 5000  # keys that a resource may name (featx_api.source.Source)


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    retry = commands.add_parser(
        "retry-failed", help="print a resource that runs the images in a run's quarantine once more"
    )
    retry.add_argument("file", type=Path, help="YAML file with the resource whose run has ended")
    retry.add_argument("--reason", help="only those that failed for this reason, such as TooManyPixels")
    suffixed = "behind the new resource's name, and its output's unless that is incremental (default -retry)"
    retry.add_argument("--suffix", default="-retry", help=suffixed)
    retry.set_defaults(run=_retry)


def _retry(parsed: argparse.Namespace) -> int:
    from featx_retrieval import table  # here, so that `featx run` needs no pyarrow

    resource = resource_file.read(parsed.file)
    output = resource.spec.output
    store = resource.spec.store_of(output.s3)
    try:
        found = table.quarantined(output.uri.rstrip("/"), store.endpoint)
    except table.TableError as error:
        raise CommandError(f"spec.output.uri: {error}") from None
    keys = sorted(key for key, reason in found.items() if parsed.reason in (None, reason))
    if not keys:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in collections.Counter(found.values()).items())
        raise CommandError(f"{output.uri}: the quarantine holds no such image; it has {reasons or 'none at all'}")
    if len(keys) > MOST:
        raise CommandError(
            f"{output.uri}: {len(keys)} images failed, and a resource can name {MOST}: choose with --reason, or run "
            "the whole resource once more with another output"
        )
    (document,) = [
        each
        for each in yaml.safe_load_all(parsed.file.read_text())
        if isinstance(each, dict) and each.get("kind") == resource.kind
    ]
    document["metadata"] = {**document["metadata"], "name": f"{resource.name}{parsed.suffix}"}
    document["spec"]["source"]["keys"] = keys
    if output.mode == "create":
        document["spec"]["output"]["uri"] = f"{output.uri.rstrip('/')}{parsed.suffix}"
    resource_file.judge(parsed.file, document)
    yaml.safe_dump(document, sys.stdout, sort_keys=False, allow_unicode=True)
    return 0
