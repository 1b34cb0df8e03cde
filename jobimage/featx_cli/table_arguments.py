"""The arguments that `featx similar` and `featx duplicates` share: the table, and how to compare and print rows."""

from __future__ import annotations

import argparse


def add_to(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument("table", help="a folder, file:///... or s3://bucket/prefix")
    parser.add_argument(
        "--by", choices=["feature", "bits"], default="feature", help="column to compare (default: feature)"
    )
    parser.add_argument(
        "--endpoint",
        help="URL of the S3 server (default: AWS_ENDPOINT_URL, then AWS); AWS_* variables hold the credentials",
    )
    parser.add_argument(
        "--format", choices=["text", "json", "csv"], default="text", help="output format (default: text)"
    )
