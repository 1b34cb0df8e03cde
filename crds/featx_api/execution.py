"""Where results go, how much may fail, and what the run may use: the remaining parts of the spec."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from featx_api.model import ApiModel, Rule, rules
from featx_api.source import SecretRef, StoreAccess, TableFolder

Memory = Annotated[str, Field(min_length=2, max_length=16, pattern=r"^[1-9][0-9]*(Mi|Gi)$")]
Label = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")]

# Featx sets these itself: a run that could change them could leave its namespace or lose its progress.
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
DELTA_ONLY = "spec.output.mode incremental goes with spec.output.format delta"
ONE_USER = "spec.execution takes hadoopUser or kerberos, not both"
_OWNED_IN_CEL = ", ".join(f"'{key}'" for key in OWNED_SPARK_CONF)
SECRET_SPARK_CONF = r"(?i)(secret|password|access\.key|session\.token)"  # noqa: S105 - names, not a value


class Output(ApiModel):
    """Where the table goes."""

    model_config = ConfigDict(
        json_schema_extra=rules(Rule("self.mode != 'incremental' || self.format == 'delta'", DELTA_ONLY))
    )

    uri: TableFolder = Field(
        description="Folder of the table: s3://bucket/path, hdfs://namenode:8020/path, claim://CLAIM/path or "
        "file:///path.",
    )
    format: Literal["delta", "parquet"] = Field(
        "delta",
        description="delta: a Delta Lake table, which grows while the run does. parquet: a folder of Parquet files "
        "that appears whole at the end.",
    )
    mode: Literal["create", "incremental"] = Field(
        "create",
        description="create: a new table. incremental, for delta: one that may be there already. Only images "
        "that are new or have changed since its earlier runs are processed; their rows take the place of older ones.",
    )
    s3: StoreAccess | None = Field(None, description="Store of an s3:// address; source.s3's where absent.")

    @model_validator(mode="after")
    def _update_what_can_be_updated(self) -> Self:
        if self.mode == "incremental" and self.format != "delta":
            raise ValueError(DELTA_ONLY)
        return self


class Errors(ApiModel):
    """How much may fail before the run does."""

    max_failed_fraction: float = Field(
        0.1, ge=0, le=1, description="The run fails when more than this share of its images is in quarantine."
    )


class Limits(ApiModel):
    """What a single image may cost; larger ones go to quarantine before they are decoded."""

    megapixels: int = Field(50, ge=1, le=1000, description="Width times height, in millions.")
    mebibytes: int = Field(64, ge=1, le=1024, description="Size of the encoded image.")


class Kerberos(ApiModel):
    """Who the run is to secured HDFS and HBase.

    Keys of the Secret: keytab, and krb5.conf, which says where the realm's servers are. The servers' own principals are
    told by sparkConf, such as spark.hadoop.dfs.namenode.kerberos.principal.
    """

    principal: str = Field(
        min_length=1, max_length=256, pattern=r"^[^\s@]+@[^\s@]+$", description="Such as features@EXAMPLE.COM."
    )
    secret_ref: SecretRef = Field(description="The Secret that holds keytab and krb5.conf.")


class Execution(ApiModel):
    """What the run may use of the cluster."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!(has(self.executors) && (has(self.minExecutors) || has(self.maxExecutors)))",
                "spec.execution takes executors, or minExecutors with maxExecutors, not both",
            ),
            Rule(
                "has(self.minExecutors) == has(self.maxExecutors)",
                "spec.execution.minExecutors and spec.execution.maxExecutors go together",
            ),
            Rule(
                "!has(self.minExecutors) || !has(self.maxExecutors) || self.minExecutors <= self.maxExecutors",
                "spec.execution.minExecutors must not exceed spec.execution.maxExecutors",
            ),
            Rule("!has(self.hadoopUser) || !has(self.kerberos)", ONE_USER),
        )
    )

    executors: int | None = Field(None, ge=1, le=1000, description="A fixed number of executors; 1 if unset.")
    min_executors: int | None = Field(None, ge=0, le=1000, description="Fewest executors, with dynamic allocation.")
    max_executors: int | None = Field(None, ge=1, le=1000, description="Most executors, with dynamic allocation.")
    cores: int = Field(1, ge=1, le=128, description="Cores of an executor; its nets use all of them.")
    memory: Memory | None = Field(
        None, description="Memory of an executor pod, JVM and native together; worked out from the nets where absent."
    )
    driver_memory: Memory = Field("1536Mi", description="Memory of the driver pod.")
    node_pool: Label | None = Field(None, description="Nodes with the label featx.dev/node-pool of this value.")
    image: str | None = Field(None, min_length=1, max_length=512, description="Job image; the operator's where absent.")
    service_account_name: Label = Field("featx-job", description="Service account of the driver.")
    shard_images: int = Field(32, ge=1, le=10000, description="Images a shard: the unit that is committed whole.")
    store_timeout_seconds: int = Field(
        120, ge=1, le=3600, description="How long a store that does not answer is waited for before the attempt ends."
    )
    hadoop_user: Label | None = Field(
        None, description="Who the run is to HDFS and HBase that ask for a name only; the image's user where absent."
    )
    kerberos: Kerberos | None = Field(
        None, description="Who the run is to HDFS and HBase that are secured by Kerberos; in place of hadoopUser."
    )
    spark_conf: dict[str, Annotated[str, Field(max_length=1024)]] = Field(
        default={},
        max_length=64,
        description="Further Spark settings. Those that Featx owns, and secrets, are refused.",
        json_schema_extra=rules(
            Rule("self.all(key, key.startsWith('spark.'))", "spec.execution.sparkConf keys must begin with spark."),
            Rule(
                f"self.all(key, !(key in [{_OWNED_IN_CEL}]))",
                f"spec.execution.sparkConf must not set what Featx owns: {', '.join(OWNED_SPARK_CONF)}",
            ),
            Rule(
                f"self.all(key, !key.matches('{SECRET_SPARK_CONF.replace(chr(92), chr(92) * 2)}'))",
                "spec.execution.sparkConf must not hold secrets: use a secretRef",
            ),
        ),
    )

    @property
    def wanted(self) -> int:
        """Returns the number of executors that the run asks for at its start."""
        return self.executors or self.min_executors or 1

    @model_validator(mode="after")
    def _one_way_to_size(self) -> Self:
        if self.executors is not None and (self.min_executors is not None or self.max_executors is not None):
            raise ValueError("spec.execution takes executors, or minExecutors with maxExecutors, not both")
        if (self.min_executors is None) != (self.max_executors is None):
            raise ValueError("spec.execution.minExecutors and spec.execution.maxExecutors go together")
        if (self.min_executors or 0) > (self.max_executors or 1000):
            raise ValueError("spec.execution.minExecutors must not exceed spec.execution.maxExecutors")
        return self

    @model_validator(mode="after")
    def _one_user(self) -> Self:
        if self.hadoop_user and self.kerberos:
            raise ValueError(ONE_USER)
        return self

    @model_validator(mode="after")
    def _spark_conf_is_the_users_to_set(self) -> Self:
        for key in self.spark_conf:
            if not key.startswith("spark."):
                raise ValueError(f"spec.execution.sparkConf.{key}: keys must begin with spark.")
            if key in OWNED_SPARK_CONF:
                raise ValueError(f"spec.execution.sparkConf.{key} is set by Featx: remove it")
            if re.search(SECRET_SPARK_CONF, key):
                raise ValueError(f"spec.execution.sparkConf.{key} must not hold secrets: use a secretRef")
        return self
