"""`spec.output`, `spec.errors`, `spec.limits` and `spec.execution`: where results go, and what a run may use."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, field_validator, model_validator

from featx_api.model import ApiModel, Renamed, Rule, rules
from featx_api.names import Colour, Cpu, ImageName, LabelValue, Memory, ObjectName, Principal, TableUri
from featx_api.s3 import SecretRef, StoreAccess
from featx_api.spark_conf import SparkValue, spark_conf_problem, spark_conf_rules

DELTA_ONLY = "spec.output.mode: incremental requires spec.output.format: delta"
ONE_USER = "spec.execution.hadoopUser and spec.execution.kerberos exclude each other"
# More is a typo: one driver commits all shards, and gets a heartbeat from each executor every 5 s.
CORES_LIMIT = 10_000
MOST_EXECUTORS = 1000
TOO_MANY_CORES = f"spec.execution: executors times cores must not exceed {CORES_LIMIT}: lower one of them"
CPU_LIMIT = (
    "spec.execution.sparkConf.spark.kubernetes.executor.limit.cores must not be lower than the CPU request, which is "
    "spark.kubernetes.executor.request.cores or spec.execution.cores"
)
_CORES = "(has(self.cores) ? self.cores : 1)"  # absent in the default of spec.execution
_REQUEST, _LIMIT = (f"spark.kubernetes.executor.{name}.cores" for name in ("request", "limit"))


class Output(ApiModel):
    """Where the table is written."""

    model_config = ConfigDict(
        json_schema_extra=rules(Rule("self.mode != 'incremental' || self.format == 'delta'", DELTA_ONLY))
    )

    uri: TableUri = Field(
        description="Folder of the table: s3://bucket/path, hdfs://namenode:8020/path or claim://CLAIM/path. For "
        "`featx run` also file:///path.",
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


class Decoding(ApiModel):
    """How images are decoded, whatever their format."""

    background: Colour = Field("#ffffff", description="Colour behind transparent pixels, as #rrggbb.")
    damaged: Literal["quarantine", "keep"] = Field(
        "quarantine",
        description="What becomes of an image of which only a part can be decoded. quarantine rejects it. keep decodes "
        "what is there, and adds a column `damaged` to the table, which is true in the rows of these images.",
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

    principal: Principal = Field(description="Principal of the run, such as features@EXAMPLE.COM.")
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
            Rule(
                "(has(self.executors) ? self.executors : has(self.maxExecutors) ? self.maxExecutors : 1) * "
                f"{_CORES} <= {CORES_LIMIT}",
                TOO_MANY_CORES,
            ),
            Rule(
                f"!has(self.sparkConf) || !('{_LIMIT}' in self.sparkConf) || "
                f"('{_REQUEST}' in self.sparkConf ? quantity(self.sparkConf['{_REQUEST}']).asApproximateFloat() : "
                f"double({_CORES})) <= quantity(self.sparkConf['{_LIMIT}']).asApproximateFloat()",
                CPU_LIMIT,
            ),
        )
    )

    renamed: ClassVar = (Renamed("spec.execution.shardPictures", "shardImages"),)

    executors: int | None = Field(
        None,
        ge=1,
        le=MOST_EXECUTORS,
        description="Fixed number of executors. Defaults to 1. A change takes effect while the run works.",
    )
    min_executors: int | None = Field(
        None, ge=0, le=MOST_EXECUTORS, description="Lowest number of executors, with dynamic allocation."
    )
    max_executors: int | None = Field(
        None, ge=1, le=MOST_EXECUTORS, description="Highest number of executors, with dynamic allocation."
    )
    cores: int = Field(1, ge=1, le=128, description="Cores per executor. The models use all of them.")
    memory: Memory | None = Field(
        None,
        description="Memory of an executor pod, JVM and native together. By default it is estimated from the models: "
        "about 2 GiB for small ones, 3 GiB for the VGG16 pair. From 64Mi to 999Gi.",
    )
    driver_memory: Memory = Field("1536Mi", description="Memory of the driver pod, from 64Mi to 999Gi.")
    driver_cpu: Cpu = Field(
        "250m", description="CPU request of the driver pod, such as 2 or 500m. It waits for executors most of the time."
    )
    cpu_limits: StrictBool = Field(
        False,
        description="Whether pods have CPU limits, as namespaces with a quota or LimitRange of them call for: of "
        "executors their request, of the driver 1 CPU or its request, whichever is more.",
    )
    node_pool: LabelValue | None = Field(
        None,
        description="Schedule pods on nodes labelled featx.dev/node-pool=<value>. The chart's values name the allowed "
        "pools.",
    )
    image: ImageName | None = Field(
        None, description="Job image, one that the chart's values allow. Defaults to the operator's `jobImage`."
    )
    service_account_name: ObjectName = Field(
        "featx-job", description="Service account of the driver, one that the chart's values allow."
    )
    shard_images: int | None = Field(
        None,
        ge=1,
        le=10000,
        description="Images per shard, the unit that a retry repeats. By default 32, and more in a run of more than "
        "65,536 images, so that a shard takes about a minute.",
    )
    store_timeout_seconds: int = Field(
        120,
        ge=1,
        le=3600,
        description="How long to wait for an unresponsive store, in seconds, before the attempt fails.",
    )
    hadoop_user: LabelValue | None = Field(
        None, description="User name for HDFS and HBase without Kerberos. Defaults to the user of the image."
    )
    kerberos: Kerberos | None = Field(
        None, description="Credentials for HDFS and HBase with Kerberos, instead of hadoopUser."
    )
    spark_conf: dict[str, SparkValue] = Field(
        default={},
        max_length=64,
        description="More settings of Spark, Hadoop and HBase: those that docs/reference/spark-conf.md lists.",
        json_schema_extra=rules(*spark_conf_rules()),
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
        if (self.min_executors or 0) > (self.max_executors or MOST_EXECUTORS):
            raise ValueError("spec.execution.minExecutors must not exceed spec.execution.maxExecutors")
        return self

    @model_validator(mode="after")
    def _one_user(self) -> Self:
        if self.hadoop_user and self.kerberos:
            raise ValueError(ONE_USER)
        return self

    @model_validator(mode="after")
    def _cores_can_be_scheduled(self) -> Self:
        if (self.executors or self.max_executors or 1) * self.cores > CORES_LIMIT:
            raise ValueError(TOO_MANY_CORES)
        limit = self.spark_conf.get(_LIMIT)
        if limit and cpus(self.spark_conf.get(_REQUEST, str(self.cores))) > cpus(limit):
            raise ValueError(CPU_LIMIT)
        return self

    @field_validator("spark_conf")
    @classmethod
    def _spark_conf_is_allowed(cls, settings: dict[str, str]) -> dict[str, str]:
        problems = [problem for key, value in settings.items() if (problem := spark_conf_problem(key, value))]
        if problems:
            raise ValueError("; ".join(problems))
        return settings


def cpus(quantity: str) -> float:
    """A number of CPUs, such as 2 or 500m."""
    return int(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)
