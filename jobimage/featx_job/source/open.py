"""Opens the source that a spec names: its kind, and where it is mounted."""

from __future__ import annotations

import logging
import os
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from featx_api.failures import FailureClass
from featx_api.source import HBaseSnapshot
from featx_api.spec import FeatureExtractionSpec

from featx_job import local_files
from featx_job.clients import s3
from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.local_files import LocalPath
from featx_job.models import packages
from featx_job.source.hbase import HBaseTableSource
from featx_job.source.hdfs import HadoopSource
from featx_job.source.listed_source import ListedSource
from featx_job.source.local import LocalSource
from featx_job.source.objects import ObjectSource
from featx_job.source.s3 import BucketSource

if TYPE_CHECKING:
    from featx_job.source.listed_source import Batches

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
    store = _store(spec, environment, hadoop)
    if isinstance(store, HBaseTableSource):
        return store
    if spec.source.s3 and (uri := spec.source.s3.inventory):
        from featx_job.source import inventory  # as below: pyarrow takes half a second, and most sources need none

        listing = inventory.Inventory(_bucket_of(uri, spec, environment), uri, _work(environment))
        batches = partial(listing.batches, spec.source.s3.bucket, spec.source.s3.prefix)
        return ListedSource(store, inventory.FIELD, uri, batches, listing.manifest)
    if uri := spec.source.key_list:
        from featx_job.source import key_list

        return ListedSource(store, key_list.FIELD, uri, _key_list(uri, spec, environment, hadoop))
    return store


def _store(spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop) -> ObjectSource | HBaseTableSource:
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


def _bucket_of(uri: str, spec: FeatureExtractionSpec, environment: Environment) -> s3.Bucket:
    """Return the bucket of a list, which is reached as the source is, but is not encrypted with the images' key."""
    assert spec.source.s3 is not None
    patience = spec.execution.store_timeout_seconds
    return s3.open_bucket(spec.source.s3, "spec.source.s3", uri.split("/")[2], environment.secrets, patience)


def _work(environment: Environment) -> Path:
    environment.work.mkdir(parents=True, exist_ok=True)
    return environment.work


def _key_list(uri: str, spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop) -> Batches:
    """Return what reads a list of keys, wherever it is."""
    from featx_job.source import key_list

    if uri.startswith("s3://"):
        bucket = _bucket_of(uri, spec, environment)
        return partial(key_list.batches, partial(bucket.download, uri.split("/", 3)[3]), _work(environment))
    if uri.startswith("hdfs://"):
        folder, _, name = uri.rpartition("/")

        def download(path: Path, most: int) -> bool:
            copied = hadoop.with_retry(key_list.FIELD, lambda: hadoop.folder(folder).download(name, str(path), most))
            return bool(copied)

        return partial(key_list.batches, download, _work(environment))
    copy = partial(_copy, local_files.locate(uri, key_list.FIELD, environment))
    return partial(key_list.batches, copy, _work(environment))


def _copy(file: LocalPath, path: Path, most: int) -> bool:
    """Copy a list, which others may change while it is read, and return whether there is one."""
    try:
        source = file.open()
    except FileNotFoundError:
        return False
    except OSError as error:
        message = f"{file.field}: {file.address} cannot be read ({error.strerror}); correct the address or its mode"
        raise RunFailure(FailureClass.SOURCE_NOT_FOUND, message) from None
    with source, path.open("wb") as target:
        if os.fstat(source.fileno()).st_size > most:
            raise s3.TooLargeError
        shutil.copyfileobj(source, target)
    return True


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
