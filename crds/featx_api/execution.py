"""`spec.output`, `spec.errors`, `spec.limits` and `spec.execution`: where results go, and what a run may use."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from featx_api.model import ApiModel, Renamed, Rule, rules
from featx_api.source import SecretRef, StoreAccess, TableFolder

Memory = Annotated[str, Field(min_length=2, max_length=16, pattern=r"^[1-9][0-9]*(Mi|Gi)$")]
Label = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")]

# Set by Featx: a run that could change them could leave its namespace or lose its progress.
OWNED_SPARK_CONF = (
    "spark.master",
    "spark.submit.deployMode",
    "spark.driver.host",
    "spark.driver.port",
    "spark.kubernetes.namespace",
    "spark.kubernetes.driver.pod.name",
    "spark.kubernetes.executor.podTemplateFile",
    "spark.executor.instances",
    "spark.executor.cores",
    "spark.task.cpus",
)
DELTA_ONLY = "spec.output.mode: incremental requires spec.output.format: delta"
ONE_USER = "spec.execution.hadoopUser and spec.execution.kerberos exclude each other"
_OWNED_IN_CEL = ", ".join(f"'{key}'" for key in OWNED_SPARK_CONF)
SECRET_SPARK_CONF = r"(?i)(secret|password|access\.key|session\.token)"  # noqa: S105 - names, not a value


class Output(ApiModel):
    """Where the table is written."""

    model_config = ConfigDict(
        json_schema_extra=rules(Rule("self.mode != 'incremental' || self.format == 'delta'", DELTA_ONLY))
    )

    uri: TableFolder = Field(
        description="Folder of the table: s3://bucket/path, hdfs://namenode:8020/path, claim://CLAIM/path or "
        "file:///path.",
    )
    format: Literal["delta", "parquet"] = Field(
        "delta",
        description="delta writes a Delta Lake table that grows during the run. parquet writes a folder of Parquet "
        "files that appears as a whole at the end.",
    )
    mode: Literal["create", "incremental"] = Field(
        "create",
        description="create writes a new table. incremental (delta only) updates an existing table, or creates it on "
        "the first run: only images that are new or changed since its earlier runs are processed, and their rows "
        "replace older ones.",
    )
    s3: StoreAccess | None = Field(None, description="How to reach an s3:// address. Defaults to source.s3.")

    @model_validator(mode="after")
    def _only_delta_is_updated(self) -> Self:
        if self.mode == "incremental" and self.format != "delta":
            raise ValueError(DELTA_ONLY)
        return self


class Errors(ApiModel):
    """How many images may fail before the run does."""

    max_failed_fraction: float = Field(
        0.1, ge=0, le=1, description="The run fails if more than this fraction of its images is in quarantine."
    )


class Limits(ApiModel):
    """Size limits for a single image. Larger images go to quarantine without being decoded."""

    megapixels: int = Field(50, ge=1, le=1000, description="Largest width times height, in millions of pixels.")
    mebibytes: int = Field(64, ge=1, le=1024, description="Largest size of the encoded image, in MiB.")


class Kerberos(ApiModel):
    """Kerberos credentials for HDFS and HBase.

    Keys of the Secret: keytab, and krb5.conf, which names the servers of the realm. The principals of the HDFS and
    HBase servers are set in sparkConf, for example spark.hadoop.dfs.namenode.kerberos.principal.
    """

    principal: str = Field(
        min_length=1,
        max_length=256,
        pattern=r"^[^\s@]+@[^\s@]+$",
        description="Principal of the run, such as features@EXAMPLE.COM.",
    )
    secret_ref: SecretRef = Field(description="Secret with keytab and krb5.conf.")


class Execution(ApiModel):
    """Resources and identities that the run uses."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!(has(self.executors) && (has(self.minExecutors) || has(self.maxExecutors)))",
                "spec.execution must have either executors, or minExecutors and maxExecutors",
            ),
            Rule(
                "has(self.minExecutors) == has(self.maxExecutors)",
                "spec.execution.minExecutors and spec.execution.maxExecutors must be set together",
            ),
            Rule(
                "!has(self.minExecutors) || !has(self.maxExecutors) || self.minExecutors <= self.maxExecutors",
                "spec.execution.minExecutors must not exceed spec.execution.maxExecutors",
            ),
            Rule("!has(self.hadoopUser) || !has(self.kerberos)", ONE_USER),
        )
    )

    renamed: ClassVar = (Renamed("spec.execution.shardPictures", "shardImages"),)

    executors: int | None = Field(None, ge=1, le=1000, description="Fixed number of executors. Defaults to 1.")
    min_executors: int | None = Field(
        None, ge=0, le=1000, description="Lowest number of executors, with dynamic allocation."
    )
    max_executors: int | None = Field(
        None, ge=1, le=1000, description="Highest number of executors, with dynamic allocation."
    )
    cores: int = Field(1, ge=1, le=128, description="Cores per executor. The models use all of them.")
    memory: Memory | None = Field(
        None,
        description="Memory of an executor pod, JVM and native together. By default it is estimated from the models: "
        "about 2 GiB for small ones, 3 GiB for the VGG16 pair.",
    )
    driver_memory: Memory = Field("1536Mi", description="Memory of the driver pod.")
    node_pool: Label | None = Field(None, description="Schedule pods on nodes labelled featx.dev/node-pool=<value>.")
    image: str | None = Field(
        None, min_length=1, max_length=512, description="Job image. Defaults to the operator's `jobImage`."
    )
    service_account_name: Label = Field("featx-job", description="Service account of the driver.")
    shard_images: int = Field(
        32, ge=1, le=10000, description="Images per shard, the unit that is committed as a whole."
    )
    store_timeout_seconds: int = Field(
        120,
        ge=1,
        le=3600,
        description="How long to wait for an unresponsive store, in seconds, before the attempt fails.",
    )
    hadoop_user: Label | None = Field(
        None, description="User name for HDFS and HBase without Kerberos. Defaults to the user of the image."
    )
    kerberos: Kerberos | None = Field(
        None, description="Credentials for HDFS and HBase with Kerberos, instead of hadoopUser."
    )
    spark_conf: dict[str, Annotated[str, Field(max_length=1024)]] = Field(
        default={},
        max_length=64,
        description="More Spark settings. Settings that Featx owns, and secrets, are refused.",
        json_schema_extra=rules(
            Rule("self.all(key, key.startsWith('spark.'))", "spec.execution.sparkConf keys must begin with spark."),
            Rule(
                f"self.all(key, !(key in [{_OWNED_IN_CEL}]))",
                f"spec.execution.sparkConf must not change settings that Featx owns: {', '.join(OWNED_SPARK_CONF)}",
            ),
            Rule(
                f"self.all(key, !key.matches('{SECRET_SPARK_CONF.replace(chr(92), chr(92) * 2)}'))",
                "spec.execution.sparkConf must not contain secrets: use a secretRef",
            ),
        ),
    )

    @property
    def wanted(self) -> int:
        """Number of executors that the run requests at its start."""
        return self.executors or self.min_executors or 1

    @model_validator(mode="after")
    def _one_way_to_size(self) -> Self:
        if self.executors is not None and (self.min_executors is not None or self.max_executors is not None):
            raise ValueError("spec.execution must have either executors, or minExecutors and maxExecutors")
        if (self.min_executors is None) != (self.max_executors is None):
            raise ValueError("spec.execution.minExecutors and spec.execution.maxExecutors must be set together")
        if (self.min_executors or 0) > (self.max_executors or 1000):
            raise ValueError("spec.execution.minExecutors must not exceed spec.execution.maxExecutors")
        return self

    @model_validator(mode="after")
    def _one_user(self) -> Self:
        if self.hadoop_user and self.kerberos:
            raise ValueError(ONE_USER)
        return self

    @model_validator(mode="after")
    def _spark_conf_is_free_to_set(self) -> Self:
        for key in self.spark_conf:
            if not key.startswith("spark."):
                raise ValueError(f"spec.execution.sparkConf.{key}: keys must begin with spark.")
            if key in OWNED_SPARK_CONF:
                raise ValueError(f"spec.execution.sparkConf.{key} is set by Featx: remove it")
            if re.search(SECRET_SPARK_CONF, key):
                raise ValueError(f"spec.execution.sparkConf.{key} must not contain secrets: use a secretRef")
        return self
