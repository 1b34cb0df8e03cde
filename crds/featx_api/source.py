"""`spec.source`: where images come from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, model_validator

from featx_api.model import ApiModel, Rule, rules
from featx_api.names import (
    FolderUri,
    Glob,
    HBaseFolder,
    ImageKey,
    ListUri,
    MemberGlob,
    ObjectName,
    TableUri,
    VolumePath,
)
from featx_api.s3 import S3Source
from featx_api.table_contract import DAMAGED_COLUMN, FEATURE_COLUMNS

ONE_SOURCE = "spec.source must have exactly one of s3, hbase, files, claim"
ONE_WAY = "spec.source.hbase must have either quorum, to read the table, or snapshot, to read HBase's files"
CHANGED_ALONE = "spec.source.changedSince and spec.source.keys exclude each other"
LIST_ALONE = (
    "spec.source.list excludes keys, include, exclude, packed and s3.inventory: the list alone says what is read"
)
LIST_OF_FILES = "spec.source.list requires s3, files or claim: rows of HBase have no list"
LIST_BY_S3 = "spec.source.list: an s3:// address requires spec.source.s3, by which it is reached"
LOG_IS_THE_LIST = "spec.source.s3.inventory excludes packed.format delta: the table's log lists its files"
PACKED_FILES = "spec.source.packed requires s3, files or claim"
URLS_ALONE = "spec.source.packed.urlColumn excludes contentColumn and members: the URLs lead to the images"
URLS_HAVE_COLUMNS = "spec.source.packed.urlColumn requires a format with columns: parquet, delta, tfrecord or auto"
# The API server refuses rules whose cost depends on the length of a map's keys, such as matches.
FORMAT_WITHOUT_COLUMNS = "sequenceFile"
FORMATS_WITHOUT_URLS = ("tar", "zip", FORMAT_WITHOUT_COLUMNS)
TABLE_COLUMNS = [column.name for column in (*FEATURE_COLUMNS, DAMAGED_COLUMN)]
CARRY_IS_NEW = f"spec.source.packed.carry must not name a column of the table: {', '.join(TABLE_COLUMNS)}"
CARRY_IS_UNIQUE = "spec.source.packed.carry must not name a column twice, in whatever case"
CARRY_HAS_COLUMNS = "spec.source.packed.carry requires a format with columns: all but sequenceFile"
#: UTF-8 bytes. The job file has one backslash or quote in two bytes, and a ConfigMap takes 1 MiB.
KEYS_LIMIT = 384 * 1024
KEYS_FIT = f"spec.source.keys must have at most {KEYS_LIMIT // 1024} KiB in all: split them over several resources"
MOST_GLOBS = 64
_NO_KEYS = "(!has(self.keys) || size(self.keys) == 0)"
_INVENTORY = "(has(self.s3) && has(self.s3.inventory))"
_NO_GLOBS = " && ".join(f"(!has(self.{name}) || size(self.{name}) == 0)" for name in ("include", "exclude"))

Row = Annotated[str, Field(max_length=1024, pattern=r"^(\\x[0-9A-Fa-f]{2}|[^\\\x00-\x1f\x7f])*$")]
#: Without the characters that Delta Lake refuses.
ColumnName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^ ,;{}()=\x00-\x1f\x7f]+$")]
Salt = Annotated[str, Field(max_length=32, pattern=r"^(\\x[0-9A-Fa-f]{2}|[ -\[\]-~])*$")]


class FilesSource(ApiModel):
    """Images stored as files in a folder and its subfolders."""

    uri: FolderUri = Field(
        description="Folder of the images: hdfs://namenode:8020/path or claim://CLAIM/path. For `featx run` also "
        "file:///path, and package:NAME==VERSION/path, a folder inside a Python package.",
    )


class HBaseSnapshot(ApiModel):
    """A snapshot of an HBase table, read from HBase's files without using its servers."""

    # As HBase has them; the name is a folder's too.
    name: str = Field(
        min_length=1, max_length=256, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$", description="Name of the snapshot."
    )
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

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                f"!has(self.carry) || size(self.carry) == 0 || self.format != '{FORMAT_WITHOUT_COLUMNS}'",
                CARRY_HAS_COLUMNS,
            ),
            Rule("!has(self.urlColumn) || (!has(self.contentColumn) && !has(self.members))", URLS_ALONE),
            Rule(f"!has(self.urlColumn) || !(self.format in {list(FORMATS_WITHOUT_URLS)})", URLS_HAVE_COLUMNS),
        )
    )

    format: Literal["auto", "tar", "zip", "tfrecord", "sequenceFile", "parquet", "delta"] = Field(
        "auto",
        description="tar archives (including WebDataset; also compressed by gzip, zstd, bzip2, xz or lz4), zip "
        "archives, TFRecord files of tf.train.Example, SequenceFiles with BytesWritable values, Parquet files "
        "(including Hugging Face datasets), or delta: the newest version of one Delta Lake table. auto reads all but "
        "delta, by content.",
    )
    members: MemberGlob | None = Field(
        None,
        description="tar and zip: glob that selects images by member name, as source.include does by key. Without it, "
        "members are images if their content or their ending is an image's.",
    )
    name_column: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Parquet, Delta and TFRecord: column of the image names. Defaults to the path in an image struct, "
        "or else to a column named key, __key__, image_id, id, file_name, filename, name or path. Rows without a name "
        "are named by their number, from 0.",
    )
    content_column: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Parquet, Delta and TFRecord: column of the encoded images, bytes or a struct with bytes. Defaults "
        "to the only such column, or to the one with a usual name, such as image, in whatever case.",
    )
    url_column: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Parquet, Delta and TFRecord: column of the images' URLs, in place of contentColumn. s3:// and "
        "hdfs:// URLs are read from the store that the table is in, with source's credentials. https:// and http:// "
        "URLs are fetched if the platform team allows their hosts (allowed.urlHosts), or with `featx run`.",
    )
    carry: list[ColumnName] = Field(
        default=[],
        max_length=32,
        description="Columns, such as labels, that become columns of the table, as text. Null where a file lacks the "
        "column; one that no file has fails the run. tar and zip: endings of the members beside an image that have its "
        "name up to the first dot, as in WebDataset: json, txt, cls.",
        json_schema_extra={"x-kubernetes-list-type": "set"}
        | rules(
            Rule(f"self.all(name, !(name.lowerAscii() in {TABLE_COLUMNS}))", CARRY_IS_NEW),
            Rule("self.all(name, self.exists_one(other, other.lowerAscii() == name.lowerAscii()))", CARRY_IS_UNIQUE),
        ),
    )

    @model_validator(mode="after")
    def _url_column(self) -> Self:
        if self.url_column and (self.content_column or self.members):
            raise ValueError(URLS_ALONE)
        if self.url_column and self.format in FORMATS_WITHOUT_URLS:
            raise ValueError(URLS_HAVE_COLUMNS)
        return self

    @model_validator(mode="after")
    def _carry_columns(self) -> Self:
        names = {name.lower() for name in self.carry}
        if self.carry and self.format == FORMAT_WITHOUT_COLUMNS:
            raise ValueError(CARRY_HAS_COLUMNS)
        if names & set(TABLE_COLUMNS):
            raise ValueError(CARRY_IS_NEW)
        if len(names) < len(self.carry):
            raise ValueError(CARRY_IS_UNIQUE)
        return self


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
            Rule("!has(self.packed) || !has(self.hbase)", PACKED_FILES),
            Rule(f"!has(self.list) || ({_NO_KEYS} && {_NO_GLOBS} && !has(self.packed) && !{_INVENTORY})", LIST_ALONE),
            Rule("!has(self.list) || !has(self.hbase)", LIST_OF_FILES),
            Rule("!has(self.list) || !self.list.startsWith('s3://') || has(self.s3)", LIST_BY_S3),
            Rule(f"!{_INVENTORY} || !has(self.packed) || self.packed.format != 'delta'", LOG_IS_THE_LIST),
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
        "images. Of packed files, a file's own key stands for all its images. `featx retry-failed` fills in the keys "
        "of a quarantine.",
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
    # In Python `list` would hide the type of the fields around it.
    key_list: ListUri | None = Field(
        None,
        alias="list",
        description="File with the keys of the images to process, one per row and each once, instead of listing the "
        "source: .parquet, or .csv, .txt or .jsonl, also with .gz or .zst. Keys are written as in source.keys. txt has "
        "one per line; the others have a column key and optionally size and etag (or version). s3:// is reached with "
        "source.s3; other addresses are hdfs://namenode:8020/path, claim://CLAIM/path, and for `featx run` a path.",
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
        if self.packed and self.hbase:
            raise ValueError(PACKED_FILES)
        if self.changed_since and self.keys:
            raise ValueError(CHANGED_ALONE)
        return self

    @model_validator(mode="after")
    def _list_fits(self) -> Self:
        inventory = self.s3.inventory if self.s3 else None
        if inventory and self.packed and self.packed.format == "delta":
            raise ValueError(LOG_IS_THE_LIST)
        if self.key_list is None:
            return self
        if self.keys or self.include or self.exclude or self.packed or inventory:
            raise ValueError(LIST_ALONE)
        if self.hbase:
            raise ValueError(LIST_OF_FILES)
        if self.key_list.startswith("s3://") and not self.s3:
            raise ValueError(LIST_BY_S3)
        return self

    @property
    def carry(self) -> tuple[str, ...]:
        """Columns of packed files that become columns of the table."""
        return tuple(self.packed.carry) if self.packed else ()

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if sum(len(key.encode()) for key in self.keys) > KEYS_LIMIT:
            raise ValueError(KEYS_FIT)
        return self
