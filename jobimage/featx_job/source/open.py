"""Opens the source that a spec names: which kind it is, and where it is mounted."""

from __future__ import annotations

import logging
from pathlib import Path

from featx_api.spec import FeatureExtractionSpec

from featx_job.clients import s3
from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.models import packages
from featx_job.source import ObjectSource
from featx_job.source import s3 as s3_source
from featx_job.source.hbase import TableSource
from featx_job.source.hdfs import HadoopSource
from featx_job.source.local import FolderSource

LOG = logging.getLogger(__name__)


def open_source(spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop) -> ObjectSource | TableSource:
    """Returns the source that the spec names.

    Args:
        spec: The run's.
        environment: Where it runs.
        hadoop: Reaches HDFS and HBase.

    Raises:
        RunFailure: SourceNotFound, or what keeps the store from being reached.
    """
    if spec.source.s3:
        access = spec.source.s3
        patience = spec.execution.store_timeout_seconds
        bucket = s3.open_bucket(access, s3_source.FIELD, access.bucket, environment.secrets, patience)
        return s3_source.BucketSource(bucket, access.prefix)
    if spec.source.claim:
        folder = environment.claims / spec.source.claim.name / spec.source.claim.path.strip("/")
        return FolderSource(folder, "spec.source.claim")
    if spec.source.hbase:
        return TableSource(hadoop, spec.source.hbase, spec.output.uri)
    assert spec.source.files is not None
    uri, field = spec.source.files.uri, "spec.source.files.uri"
    if uri.startswith("hdfs://"):
        return HadoopSource(hadoop, uri)
    if uri.startswith(packages.SCHEME):
        if environment.cluster:
            message = f"{field}: {uri} is for `featx run` only: upload the images to a store or a volume"
            raise RunFailure("SourceNotSupported", message)
        return FolderSource(packages.fetch(uri, field), field)
    return FolderSource(Path(uri.removeprefix("file://")), field)


def clean_up(spec: FeatureExtractionSpec, hadoop: Hadoop) -> None:
    """Removes what a successful run left in its source's store. A failure is only logged.

    Args:
        spec: The run's.
        hadoop: Reaches HBase's files.
    """
    if spec.source.hbase and spec.source.hbase.snapshot:
        try:
            TableSource(hadoop, spec.source.hbase, spec.output.uri).clean_up()
        except RunFailure as failure:
            LOG.warning("links to a snapshot's files are left behind: %s", failure)
