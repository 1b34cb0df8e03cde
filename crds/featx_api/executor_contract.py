"""Everything the driver (Python) and the executors (Java) must agree on, written once.

Executors get settings of their own: only `featx_job.spark.task_settings` knows the resource too. Both sides write and
parse the golden files of jobimage/contract exactly, with each field, if only as null; schemas there are generated.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from featx_api.document import Document
from featx_api.failures import QuarantineReason

#: Java class that reads and writes `file://` addresses for Hadoop.
LOCAL_FILES_CLASS: Final = "dev.featx.source.LocalFiles"
#: Java class that reads a bucket's credentials from a mounted Secret.
CREDENTIALS_CLASS: Final = "dev.featx.security.MountedCredentials"
#: Java class that an executor pod starts.
EXECUTOR_CLASS: Final = "dev.featx.spark.Executor"
#: System property of an executor: the engine to prepare before the run's nets arrive.
PREPARE_PROPERTY: Final = "featx.prepare"
#: System property: folder of OpenVINO's libraries.
OPENVINO_PROPERTY: Final = "featx.openvino"
#: Hadoop setting: folder with one subfolder per PersistentVolumeClaim, which no path inside leads out of.
CLAIMS_SETTING: Final = "featx.claims"
#: Hadoop setting: whether there are no local files but those of claims.
CLAIMS_ONLY_SETTING: Final = "featx.claims.only"
#: Hadoop setting: CA bundles that JVMs trust, separated by commas.
AUTHORITIES_SETTING: Final = "featx.authorities"
#: Hadoop setting: Kerberos principal of the run.
PRINCIPAL_SETTING: Final = "featx.kerberos.principal"
#: Hadoop setting: keytab of the principal.
KEYTAB_SETTING: Final = "featx.kerberos.keytab"
#: Hadoop setting of a bucket: folder of the mounted Secret with its credentials.
CREDENTIALS_SETTING: Final = "featx.credentials.dir"
#: Hadoop setting of a bucket: whether its objects are encrypted with the SSE-C key of the mounted Secret.
CUSTOMER_KEY_SETTING: Final = "featx.sse.customer.key"
#: Hadoop settings of a bucket: start of the names of headers that requests for objects have.
HEADER_SETTING: Final = "featx.header."

#: Timestamp after every cell of HBase: Java's Long.MAX_VALUE.
END_OF_TIME: Final = 2**63 - 1

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Sample = Annotated[int, Field(ge=0, le=255)]
Share = Annotated[float, Field(ge=0, le=1)]
Values = Annotated[tuple[float, float], Field(description="Lowest and highest value.")]


class NetInput(Document):
    """How pixels become a net's input: (pixel - mean) * scale, channel by channel."""

    mean: tuple[float, float, float] = Field(description="Mean of each channel, in the net's order.")
    scale: float = Field(gt=0, description="Factor applied after the mean is subtracted.")
    swap: bool = Field(description="Whether the net takes RGB; pixels are decoded as BGR.")


class SubjectPolicy(Document):
    """Which detected box is cropped, and with how much around it."""

    classes: tuple[Count, ...] = Field(description="Classes of interest; all if empty.")
    threshold: Share = Field(description="Lowest score of a usable box.")
    margin: Share = Field(description="Widens the box by this share of its size on each side.")
    min_area: Share = Field(description="Smallest share of the image that a usable box covers.")
    skip: bool = Field(description="Whether an image without a usable box goes to quarantine, not to the extractor.")


class DetectorSettings(Document):
    """How the detector is run."""

    input: NetInput
    policy: SubjectPolicy


class Binarization(Document):
    """How a layer's units become bits."""

    threshold: float | None = Field(description="The same for all units; null for the mean of the image's own units.")


class ExtractorSettings(Document):
    """How the extractor is run."""

    input: NetInput
    binarization: Binarization | None


class Compilation(Document):
    """How nets are compiled."""

    engine: Literal["bigdl", "openvino"]
    precision: Literal["f32", "bf16", "int8", "auto"]
    batch: int = Field(ge=1, description="Images per forward.")
    cores: int = Field(ge=1, description="Threads of an executor.")
    streams: int = Field(ge=1, description="Batches that a net runs at the same time, sharing the cores.")


class Patience(Document):
    """How long to wait for a store that does not respond."""

    seconds: int = Field(ge=1)


class HBaseSnapshot(Document):
    """A snapshot that is read instead of the table."""

    name: str
    root_dir: str = Field(description="Where HBase stores its files (hbase.rootdir).")
    restore_dir: str = Field(description="Folder of the run's links to these files.")


class HBaseTable(Document):
    """The column of an HBase table that holds the images."""

    quorum: str = Field(description="ZooKeeper's hosts; empty if a snapshot is read.")
    znode: str
    table: str
    family: str
    qualifier: str
    since: Count = Field(description="Older cells are skipped, in milliseconds.")
    until: Count = Field(
        description="Cells of this time or later are skipped, in milliseconds; `END_OF_TIME` for none."
    )
    snapshot: HBaseSnapshot | None
    include: str = Field(description="Regular expression of the folded keys of the images.")
    exclude: str = Field(description="Regular expression of the folded keys that are left out anyway.")


StoredObject = Annotated[tuple[str, Count], Field(description="Key, and size in bytes as listed.")]


class Samples(Document):
    """Objects from across the source. If none of them can be read, neither can the source."""

    base: str = Field(description="Prefix that makes a key an address of Hadoop; empty without objects.")
    objects: tuple[StoredObject, ...]


class ReadSettings(Document):
    """How a run's source is read."""

    max_bytes: int = Field(ge=1, description="Larger images go to quarantine unread.")
    hbase: HBaseTable | None
    patience: Patience
    samples: Samples
    url_hosts: tuple[str, ...] = Field(description="Hosts that images may be fetched from (featx_api.names.UrlHost).")


class TableSettings(Document):
    """Where a run's executors write. Folders are addresses of Hadoop."""

    features_folder: str
    damaged: bool = Field(description="Whether the table has the column `damaged`.")
    logged: bool = Field(description="Whether a log names the table's files, so that each has a unique name.")
    quarantine_folder: str
    done_folder: str = Field(description="Where a finished shard is marked.")
    carry: tuple[str, ...] = Field(description="Columns of the source that are columns of the table, as text.")
    patience: Patience


class Decoding(Document):
    """How images are decoded."""

    background: tuple[Sample, Sample, Sample] = Field(
        description="Red, green and blue that show through transparent pixels."
    )
    keep_damaged: bool = Field(description="Whether a partly damaged image is decoded as far as possible.")


class TaskSettings(Document):
    """What all tasks of a run share."""

    detector: DetectorSettings | None
    extractor: ExtractorSettings
    decoding: Decoding
    max_pixels: int = Field(ge=1, description="Larger images go to quarantine undecoded.")
    shards_at_once: int = Field(ge=1, description="Shards that share an executor's memory.")
    compilation: Compilation
    source: ReadSettings
    table: TableSettings | None = Field(description="Null if nothing is written.")


RowRange = Annotated[
    tuple[str, str], Field(description="First row, and the row after the last, in hex; empty for an open end.")
]


Section = Annotated[tuple[Count, Count], Field(description="Number of an equal part, from 0, and how many there are.")]


class PackedSettings(Document):
    """How files that hold many images are read."""

    format: Literal["auto", "tar", "zip", "tfrecord", "sequenceFile", "parquet", "delta"]
    members: str | None = Field(
        description="Regular expression of folded names in a tar or zip; null for images by content or ending."
    )
    name_column: str | None = Field(description="Null to choose one.")
    content_column: str | None = Field(description="Null to choose one.")
    url_column: str | None = Field(description="Column of the images' URLs; null if the files hold the images.")
    carry: tuple[str, ...] = Field(description="Columns whose values become columns of the table.")


class ObjectsLine(Document):
    """A shard of stored objects, each an image."""

    kind: Literal["objects"] = "objects"
    index: Count
    base: str = Field(description="Prefix that makes a key an address of Hadoop.")
    objects: tuple[StoredObject, ...]


Span = Annotated[tuple[str, Count, Count], Field(description="Address of a piece, first row, and number of rows.")]


class ListedLine(Document):
    """A shard of stored objects, each an image, whose keys are rows of the source's list."""

    kind: Literal["listed"] = "listed"
    index: Count
    base: str = Field(description="Prefix that makes a key an address of Hadoop.")
    spans: tuple[Span, ...]


class PackedLine(Document):
    """A shard of files that hold many images each."""

    kind: Literal["packed"] = "packed"
    index: Count
    base: str = Field(description="Prefix that makes a key an address of Hadoop.")
    objects: tuple[StoredObject, ...]
    packed: PackedSettings
    part: Section = Field(description="Which rows of the files: those of all are (0, 1).")
    keys: tuple[str, ...] = Field(description="Keys of the images to read, or of files to read whole; empty for all.")


class RangesLine(Document):
    """A shard of rows of an HBase table."""

    kind: Literal["ranges"] = "ranges"
    index: Count
    ranges: tuple[RowRange, ...]
    since: Count = Field(description="Older cells are skipped, in milliseconds.")
    limit: Count = Field(description="Most rows of each range; 0 for all.")


ShardLine = Annotated[ObjectsLine | ListedLine | PackedLine | RangesLine, Field(discriminator="kind")]


class KeyRange(Document):
    """Smallest and largest key of a file's rows, in the order of code points; null without rows."""

    first: str | None
    last: str | None

    @property
    def bounds(self) -> tuple[str, str] | None:
        """Both keys, or None without rows."""
        return None if self.first is None or self.last is None else (self.first, self.last)


class StepSeconds(Document):
    """How long the steps of a shard took, in seconds. Its threads overlap, so the sum exceeds the time that passed."""

    read: Seconds = Field(description="Threads spent reading images from the source, with retries.")
    decode: Seconds = Field(description="Threads spent decoding, and on the detector's input.")
    idle: Seconds = Field(description="The shard had no decoded image, so that the nets had no work from it.")
    detect: Seconds = Field(description="In the detector, also waiting for a free one.")
    extract: Seconds = Field(description="Cropping and in the extractor, also waiting for a free one.")
    write: Seconds = Field(description="Writing rows.")


class ShardResult(Document):
    """The result of a shard: what an executor returns, and the content of the shard's marker."""

    index: Count
    file: str = Field(description="Name of the table's file.")
    features: Count = Field(description="Rows of the table.")
    failures: Count = Field(description="Rows of the quarantine.")
    skipped: Count = Field(0, description="Rows of the source, or members of archives, that were not selected.")
    bytes: Count = Field(description="Size of the table's file.")
    failure_bytes: Count = Field(description="Size of the quarantine's file; 0 without one.")
    sha256: str = Field(description="Digest of the table's file.")
    failure_sha256: str = Field(description="Digest of the quarantine's file; empty without one.")
    precision: str = Field(description="Precision that features were computed in.")
    keys: KeyRange
    reasons: dict[QuarantineReason, Count] = Field(
        default={}, description="Rows of the quarantine by reason; markers of earlier versions have none."
    )
    seconds: StepSeconds = Field(
        default=StepSeconds(read=0, decode=0, idle=0, detect=0, extract=0, write=0),
        description="How long its steps took; 0 in markers of earlier versions.",
    )

    @property
    def images(self) -> int:
        """Images that are finished with the shard."""
        return self.features + self.failures

    @property
    def quarantine_file(self) -> str:
        """Name of the shard's file in the quarantine."""
        return part_file(self.index)


class ReplacementTask(Document):
    """A file of a table that may hold rows for keys of newer files."""

    path: str = Field(description="Of the old file in its log.")
    old: str = Field(description="Address of the old file.")
    newer: tuple[str, ...] = Field(description="Addresses of the newer files.")
    file: str = Field(description="Name of the file that replaces the old one.")


class RewrittenFile(Document):
    """A file of a table without the rows that newer files have."""

    file: str
    rows: Count
    bytes: Count
    sha256: str
    keys: KeyRange


class ReplacementResult(Document):
    """The result of a replacement."""

    path: str = Field(description="Of the old file in its log.")
    removed: Count = Field(description="Rows that newer files have.")
    rewritten: RewrittenFile | None = Field(description="Null if no rows were removed.")


class ReadResult(Document):
    """The result of reading shards without running nets."""

    images: Count
    bytes: Count
    unreadable: Count
    seconds: float = Field(ge=0)


class SeenValues(Document):
    """Values that a net took on images."""

    input: Values
    outputs: tuple[Values, ...]


class Observation(Document):
    """Values of both nets, to choose 8-bit integers by. Null for a net that no image reached."""

    images: Count
    detector: SeenValues | None
    extractor: SeenValues | None


class Comparison(Document):
    """How far nets in integers are from nets in float32."""

    images: Count
    cosine: float = Field(description="Mean cosine of features.")
    lowest_cosine: float
    agreement: Share = Field(description="Share of images with the same subject.")


def part_file(index: int) -> str:
    """Return the name of a shard's file, whoever writes it."""
    return f"part-{index:05}.parquet"


def marker_file(index: int) -> str:
    """Return the name of a shard's marker."""
    return f"{index:05}.json"


def shard_of_marker(name: str) -> int:
    """Return the shard of a marker (`marker_file`)."""
    return int(name.removesuffix(".json"))
