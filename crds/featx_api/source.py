"""Where images come from and where stores are reached: the `source` part of the spec."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, model_validator

from featx_api.model import ApiModel, Rule, rules

ONE_SOURCE = "spec.source must hold exactly one of s3, hbase, files, claim"
ONE_IDENTITY = "a store takes secretRef or podIdentity, not both"
ONE_WAY = "spec.source.hbase takes quorum to read the table, or snapshot to read HBase's files, not both"
CHANGED_ALONE = "spec.source takes changedSince or keys, not both"
PACKED_ALONE = "spec.source.packed goes with s3, files or claim, and not with spec.source.keys"

SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Endpoint = Annotated[str, Field(max_length=512, pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+/?$")]
ObjectPath = Annotated[str, Field(max_length=1024)]
Row = Annotated[str, Field(max_length=1024, pattern=r"^(\\x[0-9A-Fa-f]{2}|[^\\])*$")]
HDFS = r"hdfs://[A-Za-z0-9.\-_:]+/[^\s]+"
HBaseFolder = Annotated[str, Field(max_length=1024, pattern=rf"^({HDFS}|file:///[^\s]+)$")]
TableFolder = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=r"^(s3://[a-z0-9][a-z0-9.\-]*[a-z0-9]/[^\s]+|file:///[^\s]+|claim://[a-z0-9][a-z0-9.\-]*/[^\s]+|"
        rf"{HDFS})$",
    ),
]


class SecretRef(ApiModel):
    """Names a Secret of the same namespace that holds a store's credentials.

    Keys: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and optionally AWS_SESSION_TOKEN, and ca.crt: certificates of the
    authority that has signed the store's own, where that is not one that all trust. It is mounted as files; its values
    never stand in a pod, a ConfigMap or a log.
    """

    name: SecretName = Field(description="Name of the Secret.")


class StoreAccess(ApiModel):
    """How an S3-compatible store is reached."""

    model_config = ConfigDict(json_schema_extra=rules(Rule("!has(self.secretRef) || !self.podIdentity", ONE_IDENTITY)))

    endpoint: Endpoint | None = Field(None, description="URL of the store, such as http://s3.store.svc:8333.")
    region: str | None = Field(
        None, max_length=64, pattern=r"^[a-z0-9-]+$", description="Region, if the store asks for one."
    )
    secret_ref: SecretRef | None = Field(None, description="Credentials. Without it the store is read anonymously.")
    pod_identity: bool = Field(
        False,
        description="In place of a Secret: who the pods are to the cloud, by their service account (IRSA) or node; for "
        "`featx run` by AWS_* variables.",
    )

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        if self.secret_ref and self.pod_identity:
            raise ValueError(ONE_IDENTITY)
        return self


class S3Source(StoreAccess):
    """Images that are objects of one bucket of an S3-compatible store."""

    bucket: str = Field(
        min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.\-]*[a-z0-9]$", description="The bucket."
    )
    prefix: ObjectPath = Field("", description="Only keys that begin with this are read.")


class FilesSource(ApiModel):
    """Images that are files below one folder."""

    uri: str = Field(
        max_length=1024,
        pattern=rf"^(file:///[^\s]*|{HDFS}|package:[A-Za-z0-9._\-]+==[^/\s]+/[^\s]+)$",
        description="Folder of images: hdfs://namenode:8020/path, file:///path, or, for `featx run` only, "
        "package:NAME==VERSION/path inside a Python package.",
    )


class HBaseSnapshot(ApiModel):
    """A snapshot of an HBase table, read from HBase's own files: its servers are not asked."""

    name: str = Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9_.\-]+$", description="Name of the snapshot.")
    root_dir: HBaseFolder = Field(
        description="Where HBase keeps its files (hbase.rootdir): hdfs://namenode:8020/hbase."
    )
    restore_dir: HBaseFolder | None = Field(
        None,
        description="Where the run may write links to the snapshot's files: a folder of the same file system, outside "
        "of rootDir; its /tmp where absent. They are removed when the run has succeeded.",
    )

    @property
    def folder(self) -> str:
        """Returns where links are written, without a slash at its end."""
        parts = urlsplit(self.root_dir)
        return (self.restore_dir or f"{parts.scheme}://{parts.netloc}/tmp").rstrip("/")  # noqa: S108 - of the store


class HBaseSource(ApiModel):
    r"""Images that are cells of one column of an HBase table; an image's key is its row.

    Rows are written as in the HBase shell: \x00 stands for a byte that has no letter.
    """

    model_config = ConfigDict(json_schema_extra=rules(Rule("has(self.quorum) != has(self.snapshot)", ONE_WAY)))

    quorum: str | None = Field(
        None,
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z0-9.\-]+(:[0-9]+)?(,[A-Za-z0-9.\-]+(:[0-9]+)?)*$",
        description="ZooKeeper's hosts, with their ports where these are not 2181: zk-0.zk:2181,zk-1.zk:2181.",
    )
    snapshot: HBaseSnapshot | None = Field(None, description="Read in the table's place; without quorum.")
    znode: str = Field("/hbase", max_length=256, pattern=r"^/[^\s]+$", description="Where the cluster is registered.")
    table: str = Field(
        min_length=1,
        max_length=256,
        pattern=r"^([A-Za-z0-9_.\-]+:)?[A-Za-z0-9_.\-]+$",
        description="The table, with its namespace if it has one.",
    )
    column: str = Field(max_length=512, pattern=r"^[^:\s]+:.*$", description="family:qualifier of the encoded image.")
    prefix: Row = Field("", description="Only rows that begin with this are read.")
    start_row: Row = Field("", description="The first row; all before it are left out.")
    stop_row: Row = Field("", description="The row that is no longer read, nor those behind it.")
    salts: list[Row] = Field(
        default=[],
        max_length=1024,
        description="What stands before each row to spread rows over regions; prefix, startRow and stopRow are about "
        "what follows it.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    since: datetime | None = Field(None, description="Only cells written then or later, by their timestamps.")
    until: datetime | None = Field(None, description="Only cells written before then, by their timestamps.")

    @model_validator(mode="after")
    def _one_way_to_read(self) -> Self:
        if (self.quorum is None) == (self.snapshot is None):
            raise ValueError(ONE_WAY)
        return self


class Packed(ApiModel):
    """Files that hold many images each."""

    format: Literal["tar", "sequenceFile", "parquet", "delta"] = Field(
        description="tar archives (*.tar, WebDataset's too), SequenceFiles with BytesWritable values, *.parquet, or "
        "the newest version of a Delta Lake table."
    )
    members: str = Field(
        "*.{jpg,jpeg,png,webp,bmp,gif,tif,tiff,JPG,JPEG,PNG}",
        min_length=1,
        max_length=256,
        description="Which members of a tar are images, as a glob of their names.",
    )
    name_column: str = Field(
        "key", min_length=1, max_length=256, description="Of Parquet and Delta: what images are called."
    )
    content_column: str = Field(
        "image", min_length=1, max_length=256, description="Of Parquet and Delta: the encoded images."
    )


class ClaimSource(ApiModel):
    """Images that are files of a PersistentVolumeClaim of the same namespace."""

    name: SecretName = Field(description="Name of the PersistentVolumeClaim.")
    path: ObjectPath = Field("", description="Folder inside the volume.")


class Source(ApiModel):
    """Exactly one place that images are read from."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                " + ".join(f"(has(self.{part}) ? 1 : 0)" for part in ("s3", "hbase", "files", "claim")) + " == 1",
                ONE_SOURCE,
            ),
            Rule("!has(self.changedSince) || size(self.keys) == 0", CHANGED_ALONE),
            Rule("!has(self.packed) || (!has(self.hbase) && size(self.keys) == 0)", PACKED_ALONE),
        )
    )

    s3: S3Source | None = Field(None, description="Objects of a bucket.")
    hbase: HBaseSource | None = Field(None, description="Cells of an HBase table.")
    files: FilesSource | None = Field(None, description="Files below a folder.")
    claim: ClaimSource | None = Field(None, description="Files of a PersistentVolumeClaim.")
    packed: Packed | None = Field(None, description="The source's files hold many images each.")
    keys: list[Annotated[str, Field(min_length=1, max_length=1024)]] = Field(
        default=[],
        max_length=5000,
        description="Only these images, by the keys that tables name them by; all where empty. `featx retry-failed` "
        "fills it with a quarantine's.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )

    changed_since: TableFolder | None = Field(
        None,
        description="Only images that are new or changed since the tables at or below this address were made, by "
        "their etags or times of modification; of HBase, the cells written since then. An s3:// address is reached as "
        "the output is.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(part is not None for part in (self.s3, self.hbase, self.files, self.claim)) != 1:
            raise ValueError(ONE_SOURCE)
        if self.packed and (self.hbase or self.keys):
            raise ValueError(PACKED_ALONE)
        if self.changed_since and self.keys:
            raise ValueError(CHANGED_ALONE)
        return self
