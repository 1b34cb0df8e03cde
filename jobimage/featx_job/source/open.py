"""Opens the source that a spec names: its kind, and where it is mounted."""

from __future__ import annotations

import logging

from featx_api.failures import FailureClass
from featx_api.source import HBaseSnapshot
from featx_api.spec import FeatureExtractionSpec

from featx_job import local_files
from featx_job.clients import s3
from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.models import packages
from featx_job.source.hbase import HBaseTableSource
from featx_job.source.hdfs import HadoopSource
from featx_job.source.local import LocalSource
from featx_job.source.objects import ObjectSource
from featx_job.source.s3 import BucketSource

LOG = logging.getLogger(__name__)


def open_source(
    spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop
) -> ObjectSource | HBaseTableSource:
    """Return the source that the spec names.

    Args:
        spec: The run's spec.
        environment: Where the driver runs.
        hadoop: Connection to HDFS and HBase.

    Raises:
        RunFailure: SourceNotFound, PathNotAllowed, or the reason why the store can't be reached.
    """
    if spec.source.s3:
        access, patience = spec.source.s3.resolved(), spec.execution.store_timeout_seconds
        return BucketSource(
            s3.open_source_bucket(access, "spec.source.s3", environment.secrets, patience), access.prefix
        )
    if spec.source.claim:
        claim = spec.source.claim
        return LocalSource(local_files.locate(f"claim://{claim.name}/{claim.path}", "spec.source.claim", environment))
    if spec.source.hbase:
        if spec.source.hbase.snapshot:
            _check_folders(spec.source.hbase.snapshot, environment)
        return HBaseTableSource(hadoop, spec.source.hbase, spec.output.uri)
    assert spec.source.files is not None
    uri, field = spec.source.files.uri, "spec.source.files.uri"
    if uri.startswith("hdfs://"):
        return HadoopSource(hadoop, uri)
    if uri.startswith(packages.SCHEME):
        if environment.cluster:
            message = f"{field}: {uri} is for `featx run` only; upload the images to a store or a volume"
            raise RunFailure(FailureClass.SOURCE_NOT_SUPPORTED, message)
        return LocalSource(local_files.on_this_machine(packages.fetch(uri, field), field))
    return LocalSource(local_files.locate(uri, field, environment))


def _check_folders(snapshot: HBaseSnapshot, environment: Environment) -> None:
    """Refuse local folders outside mounted claims before Java gets to see them."""
    field = "spec.source.hbase.snapshot"
    for name, uri in (("rootDir", snapshot.root_dir), ("restoreDir", snapshot.folder)):
        if uri.startswith(local_files.FILE):
            local_files.locate(uri, f"{field}.{name}", environment).resolved()


def clean_up(spec: FeatureExtractionSpec, hadoop: Hadoop) -> None:
    """Remove what a successful run left in its source's store. A failure is only logged.

    Args:
        spec: The run's spec.
        hadoop: Connection to HBase's files.
    """
    if spec.source.hbase and spec.source.hbase.snapshot:
        try:
            HBaseTableSource(hadoop, spec.source.hbase, spec.output.uri).clean_up()
        except RunFailure as failure:
            LOG.warning("could not remove the links to the snapshot's files: %s", failure)
