"""Opens the output that a spec names: its format, and the store that holds it."""

from __future__ import annotations

from importlib.metadata import version

from featx_api.contract import JobSpec
from featx_api.spec import FeatureExtractionSpec
from featx_api.table_contract import DAMAGED_COLUMN, FEATURE_COLUMNS, Column

from featx_job import local_files
from featx_job.clients import s3
from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.table import earlier_runs
from featx_job.table.delta_entries import Committer
from featx_job.table.delta_log import DeltaLog, DeltaSnapshots
from featx_job.table.delta_publisher import DeltaPublisher
from featx_job.table.output import RunOutput
from featx_job.table.parquet_publisher import ParquetPublisher
from featx_job.table.run_files import RunFiles
from featx_job.table.storage import Storage
from featx_job.table.storage.hdfs import HadoopStorage
from featx_job.table.storage.local import LocalStorage
from featx_job.table.storage.s3 import BucketStorage

FIELD = "spec.output.uri"


def open_output(job: JobSpec, environment: Environment, hadoop: Hadoop) -> RunOutput:
    """Return the output of a run, after creating its folder.

    Args:
        job: The run.
        environment: Where the driver runs.
        hadoop: Connection to HDFS, and to the JVM that reads Delta tables.

    Raises:
        RunFailure: OutputNotWritable, or the reason why the store can't be reached.
    """
    storage = open_storage(job.spec.output.uri, FIELD, job.spec, environment, hadoop)
    storage.make()
    logged = job.spec.output.format == "delta"
    files = RunFiles(storage, job.uid, job.spec.output.uri.rstrip("/"), exclusive=logged)
    if not logged:
        return RunOutput(files, ParquetPublisher(files))
    committer = Committer(job.uid, job.name, f"featx/{version('featx')}")
    log = DeltaLog(storage, committer, job.spec.execution.store_timeout_seconds, _columns(job.spec))
    snapshots = DeltaSnapshots(hadoop, storage.hadoop_uri, FIELD)
    nets = earlier_runs.identify_nets(job.spec) if job.spec.output.mode == "incremental" else None
    return RunOutput(files, DeltaPublisher(files, log, snapshots, nets))


def _columns(spec: FeatureExtractionSpec) -> tuple[Column, ...]:
    """Return the columns of a run's table; what the source carries is text."""
    damaged = (DAMAGED_COLUMN,) if spec.decoding.damaged == "keep" else ()
    return (
        *FEATURE_COLUMNS,
        *damaged,
        *(Column(name=name, type="string", nullable=True) for name in spec.source.carry),
    )


def open_storage(
    uri: str, field: str, spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop
) -> Storage:
    """Return the files below an address.

    Args:
        uri: The address.
        field: The spec's field that holds it, for errors.
        spec: The run's spec.
        environment: Where the driver runs.
        hadoop: Connection to HDFS.

    Raises:
        RunFailure: PathNotAllowed, or the reason why the store can't be reached.
    """
    if uri.startswith("s3://"):
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        access = spec.store_of(spec.output.s3)
        where = "spec.output.s3" if spec.output.s3 else "spec.source.s3"
        patience = spec.execution.store_timeout_seconds
        return BucketStorage(s3.open_bucket(access, where, bucket, environment.secrets, patience), prefix)
    if uri.startswith("hdfs://"):
        return HadoopStorage(hadoop, uri)
    return LocalStorage(local_files.locate(uri, field, environment))
