"""`spec.source`: where images come from, and how stores are reached."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, model_validator

from featx_api.model import ApiModel, Rule, rules
from featx_api.names import FolderUri, Glob, HBaseFolder, ImageKey, KeyPrefix, ObjectName, TableUri, VolumePath

ONE_SOURCE = "spec.source must have exactly one of s3, hbase, files, claim"
ONE_IDENTITY = "secretRef and podIdentity exclude each other: set one of them"
ONE_WAY = "spec.source.hbase must have either quorum, to read the table, or snapshot, to read HBase's files"
CHANGED_ALONE = "spec.source.changedSince and spec.source.keys exclude each other"
PACKED_ALONE = "spec.source.packed requires s3, files or claim, and excludes spec.source.keys"
#: UTF-8 bytes. The job file has one backslash or quote in two bytes, and a ConfigMap takes 1 MiB.
KEYS_LIMIT = 384 * 1024
KEYS_FIT = f"spec.source.keys must have at most {KEYS_LIMIT // 1024} KiB in all: split them over several resources"
MOST_GLOBS = 64
_NO_KEYS = "(!has(self.keys) || size(self.keys) == 0)"

Endpoint = Annotated[str, Field(max_length=512, pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+/?$")]
Row = Annotated[str, Field(max_length=1024, pattern=r"^(\\x[0-9A-Fa-f]{2}|[^\\\x00-\x1f\x7f])*$")]
Salt = Annotated[str, Field(max_length=32, pattern=r"^(\\x[0-9A-Fa-f]{2}|[ -\[\]-~])*$")]


class SecretRef(ApiModel):
    """A Secret in the same namespace that holds the credentials of a store.

    Keys: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; optionally AWS_SESSION_TOKEN, and ca.crt, a CA bundle used to
    verify the store's certificate. The Secret is mounted as files. Its values never appear in a pod, a ConfigMap or a
    log.
    """

    name: ObjectName = Field(description="Name of the Secret.")


class StoreAccess(ApiModel):
    """How to reach an S3-compatible store."""

    model_config = ConfigDict(json_schema_extra=rules(Rule("!has(self.secretRef) || !self.podIdentity", ONE_IDENTITY)))

    endpoint: Endpoint | None = Field(
        None, description="Endpoint URL, such as http://s3.store.svc:8333. Defaults to AWS."
    )
    region: str | None = Field(
        None, max_length=64, pattern=r"^[a-z0-9-]+$", description="Region, if the store requires one."
    )
    secret_ref: SecretRef | None = Field(
        None, description="Secret with the credentials. Without it access is anonymous."
    )
    pod_identity: bool = Field(
        False,
        description="Authenticate with the pods' cloud identity (IRSA or node role) instead of a Secret; with `featx "
        "run`, with the AWS_* environment variables.",
    )

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        if self.secret_ref and self.pod_identity:
            raise ValueError(ONE_IDENTITY)
        return self


class S3Source(StoreAccess):
    """Images stored as objects in one bucket of an S3-compatible store."""

    bucket: str = Field(
        min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.\-]*[a-z0-9]$", description="Name of the bucket."
    )
    prefix: KeyPrefix = Field("", description="Read only objects whose key begins with this.")


class FilesSource(ApiModel):
    """Images stored as files in a folder and its subfolders."""

    uri: FolderUri = Field(
        description="Folder of the images: hdfs://namenode:8020/path or claim://CLAIM/path. For `featx run` also "
        "file:///path, and package:NAME==VERSION/path, a folder inside a Python package.",
    )


class HBaseSnapshot(ApiModel):
    """A snapshot of an HBase table, read from HBase's files without using its servers."""

    name: str = Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9_.\-]+$", description="Name of the snapshot.")
    root_dir: HBaseFolder = Field(
        description="HBase's root directory (hbase.rootdir), such as hdfs://namenode:8020/hbase."
    )
    restore_dir: HBaseFolder | None = Field(
        None,
        description="Folder for links to the snapshot's files, on the same file system but outside rootDir. Defaults "
        "to /tmp of that file system. The links are removed when the run has succeeded.",
    )

    @property
    def folder(self) -> str:
        """The folder for links, without a trailing slash."""
        parts = urlsplit(self.root_dir)
        return (self.restore_dir or f"{parts.scheme}://{parts.netloc}/tmp").rstrip("/")  # noqa: S108 - of the store


class HBaseSource(ApiModel):
    r"""Images stored as cells of one column of an HBase table. The key of an image is its row key.

    Row keys are written as in the HBase shell: \x00 stands for a byte that is not printable.
    """

    model_config = ConfigDict(json_schema_extra=rules(Rule("has(self.quorum) != has(self.snapshot)", ONE_WAY)))

    quorum: str | None = Field(
        None,
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z0-9.\-]+(:[0-9]+)?(,[A-Za-z0-9.\-]+(:[0-9]+)?)*$",
        description="ZooKeeper hosts, such as zk-0.zk:2181,zk-1.zk:2181. The port defaults to 2181.",
    )
    snapshot: HBaseSnapshot | None = Field(None, description="Read this snapshot instead of the live table.")
    znode: str = Field(
        "/hbase", max_length=256, pattern=r"^/[A-Za-z0-9_.\-/]+$", description="ZooKeeper node of the HBase cluster."
    )
    table: str = Field(
        min_length=1,
        max_length=256,
        pattern=r"^([A-Za-z0-9_.\-]+:)?[A-Za-z0-9_.\-]+$",
        description="Name of the table, with its namespace if it has one.",
    )
    column: str = Field(
        max_length=512,
        pattern=r"^[^:\s]+:[^\x00-\x1f\x7f]*$",
        description="Column of the encoded images, as family:qualifier.",
    )
    prefix: Row = Field("", description="Read only rows whose key begins with this.")
    start_row: Row = Field("", description="Inclusive lower bound of the scanned rows.")
    stop_row: Row = Field("", description="Exclusive upper bound of the scanned rows.")
    salts: list[Salt] = Field(
        default=[],
        max_length=1024,
        description="Salt prefixes added to row keys to spread them across regions. prefix, startRow and stopRow apply "
        "to the key without its salt.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    since: datetime | None = Field(None, description="Read only cells with this timestamp or a later one.")
    until: datetime | None = Field(None, description="Read only cells with an earlier timestamp.")

    @model_validator(mode="after")
    def _one_way_to_read(self) -> Self:
        if (self.quorum is None) == (self.snapshot is None):
            raise ValueError(ONE_WAY)
        return self


class Packed(ApiModel):
    """Files that hold many images each."""

    format: Literal["tar", "sequenceFile", "parquet", "delta"] = Field(
        description="tar archives (*.tar, including WebDataset), SequenceFiles with BytesWritable values, *.parquet "
        "files, or delta: the newest version of one Delta Lake table."
    )
    members: str = Field(
        "*.{jpg,jpeg,png,webp,bmp,gif,tif,tiff,JPG,JPEG,PNG}",
        min_length=1,
        max_length=256,
        description="Glob that selects the images of a tar archive by member name.",
    )
    name_column: str = Field(
        "key", min_length=1, max_length=256, description="Parquet and Delta: column of the image names."
    )
    content_column: str = Field(
        "image", min_length=1, max_length=256, description="Parquet and Delta: column of the encoded images."
    )


_GLOB_ADVICE = (
    "`*` and `?` stay within a folder, `**/` is any number of folders, `[a-z]` a set, `{jpg,png}` a choice (one per "
    "glob). Case does not matter. A glob without a slash (*.jpg) matches names in any folder, one that ends with a "
    "slash (drafts/) everything in such a folder, and any other (2024/**/*.jpg) a path from the source's folder."
)


class ClaimSource(ApiModel):
    """Images stored as files on a PersistentVolumeClaim in the same namespace."""

    name: ObjectName = Field(description="Name of the PersistentVolumeClaim.")
    path: VolumePath = Field("", description="Folder inside the volume. Defaults to its root.")


class Source(ApiModel):
    """Where images are read from: exactly one of s3, hbase, files or claim."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                " + ".join(f"(has(self.{part}) ? 1 : 0)" for part in ("s3", "hbase", "files", "claim")) + " == 1",
                ONE_SOURCE,
            ),
            Rule(f"!has(self.changedSince) || {_NO_KEYS}", CHANGED_ALONE),
            Rule(f"!has(self.packed) || (!has(self.hbase) && {_NO_KEYS})", PACKED_ALONE),
        )
    )

    s3: S3Source | None = Field(None, description="Objects in a bucket.")
    hbase: HBaseSource | None = Field(None, description="Cells of an HBase table.")
    files: FilesSource | None = Field(None, description="Files in a folder.")
    claim: ClaimSource | None = Field(None, description="Files on a PersistentVolumeClaim.")
    packed: Packed | None = Field(
        None, description="Set this if each file holds many images. Without it every file is an image."
    )
    keys: list[ImageKey] = Field(
        default=[],
        max_length=5000,
        description=f"Process only the images with these keys, {KEYS_LIMIT // 1024} KiB in all. Empty means all "
        "images. `featx retry-failed` fills in the keys of a quarantine.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"}
        | rules(Rule(f"self.map(key, size(bytes(key))).sum() <= {KEYS_LIMIT}", KEYS_FIT)),
    )
    include: list[Glob] = Field(
        default=[],
        max_length=MOST_GLOBS,
        description="Globs of the files to read; of HBase, of the row keys. Empty means all, but hidden and system "
        f"files, which only a glob that names them lets in (.thumbnails/). {_GLOB_ADVICE} Does not apply to "
        "source.keys.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    exclude: list[Glob] = Field(
        default=[],
        max_length=MOST_GLOBS,
        description="Globs of files, or row keys, to leave out although source.include selects them.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    changed_since: TableUri | None = Field(
        None,
        description="Process only images that are new or changed since the tables at or below this address were "
        "written: by etag or modification time, or for HBase by cell timestamp. An s3:// address is reached with "
        "output.s3.",
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

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if sum(len(key.encode()) for key in self.keys) > KEYS_LIMIT:
            raise ValueError(KEYS_FIT)
        return self
