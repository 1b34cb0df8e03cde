"""Every way a run or an image can fail: the one registry that driver, executors, operator and docs share.

A class travels as a type or as a field, never as text to be searched. Java's enums, docs/reference/failures.md and the
CRD's description of `status.failure.class` are generated from here (`make generate`).
"""

from __future__ import annotations

from enum import StrEnum

from featx_api.formats import listed


class FailureClass(StrEnum):
    """Why a run, or one attempt of it, failed.

    Attributes:
        retryable: Whether another attempt may succeed without anybody changing something.
        advice: What to do, in one sentence.
    """

    retryable: bool
    advice: str

    def __new__(cls, label: str, retryable: bool, advice: str) -> FailureClass:
        """Create a member whose value is its label."""
        member = str.__new__(cls, label)
        member._value_ = label
        member.retryable, member.advice = retryable, advice
        return member

    @classmethod
    def named(cls, label: str) -> FailureClass | None:
        """Return the class that has this label, or None if the registry has none."""
        return next((one for one in cls if one == label), None)

    # The user's to correct.
    ACCESS_DENIED = "AccessDenied", False, "Grant access to the identity or Secret that the message names."
    BUCKET_NOT_FOUND = "BucketNotFound", False, "Create the bucket, or correct its name."
    CALIBRATION_FAILED = (
        "CalibrationFailed",
        False,
        "Raise `spec.quantization.images`, or run with precision f32 to see why the images fail.",
    )
    INT8_INACCURATE = (
        "Int8Inaccurate",
        False,
        "Use precision bf16 or f32, or relax `spec.quantization` if your use tolerates it.",
    )
    MODEL_DIGEST_MISMATCH = "ModelDigestMismatch", False, "Correct the model's `sha256`, or the file it refers to."
    MODEL_INVALID = "ModelInvalid", False, "Correct the model; the message names the layer or the file."
    MODEL_NOT_FOUND = "ModelNotFound", False, "Correct the model's address, or upload the file."
    OUTPUT_EXISTS = (
        "OutputExists",
        False,
        "Choose another `spec.output.uri`, or remove what is there if no run writes it.",
    )
    OUTPUT_NOT_WRITABLE = "OutputNotWritable", False, "Choose another `spec.output.uri` or `spec.output.format`."
    PACKAGE_NOT_FOUND = "PackageNotFound", False, "Correct the package's name, version or path."
    PATH_NOT_ALLOWED = (
        "PathNotAllowed",
        False,
        "Use claim://CLAIM/path, and replace links that lead out of the claim by the files.",
    )
    PRECISION_UNSUPPORTED = (
        "PrecisionUnsupported",
        False,
        "Use precision auto or f32, or set `spec.execution.nodePool` to nodes whose CPUs support it.",
    )
    SECRET_INCOMPLETE = "SecretIncomplete", False, "Add the missing keys to the Secret that the message names."
    SECRET_NOT_FOUND = (
        "SecretNotFound",
        False,
        "Create the Secret in the resource's namespace and raise `spec.retry`, or correct its name in a new resource.",
    )
    SOURCE_EMPTY = (
        "SourceEmpty",
        False,
        "Correct the field that the message names: it also says what is there instead. A run that reads only what has "
        "changed may find nothing.",
    )
    SOURCE_NOT_FOUND = "SourceNotFound", False, "Correct the folder, table, column family or snapshot in the message."
    SOURCE_NOT_SUPPORTED = (
        "SourceNotSupported",
        False,
        "Correct `spec.source`: the data is not in the format it declares, or cannot be read from a cluster.",
    )
    STORE_CONFLICT = "StoreConflict", False, "Configure the bucket in the same way for source and output."
    STORE_ERROR = "StoreError", False, "Look up the store's error code in the message."
    TOO_MANY_FAILURES = (
        "TooManyFailures",
        False,
        "Inspect `_quarantine` below the output, mend the images and run again; or raise "
        "`spec.errors.maxFailedFraction` to accept the losses.",
    )
    UNTRUSTED_STORE = "UntrustedStore", False, "Add the CA certificate as `ca.crt` to the store's Secret."

    # Somebody's, but not the run's owner's: what the driver was given is not what the operator wrote.
    JOB_FILE_CHANGED = (
        "JobFileChanged",
        False,
        "Check who may change ConfigMaps in the namespace, and that operator and job image have the same version; "
        "then create the resource again.",
    )

    # May pass by itself: the next attempt resumes where the last one stopped.
    EXECUTOR_LOST = (
        "ExecutorLost",
        True,
        "Check the executor pods' Events; raise `spec.execution.memory` if they were killed for memory.",
    )
    INTERNAL = "Internal", True, "Read the driver's log, and report it if it recurs."
    JVM_LOST = "JvmLost", True, "Raise `spec.execution.driverMemory`: the driver's JVM died."
    OUT_OF_MEMORY = "OutOfMemory", True, "Raise `spec.execution.memory`: half more was not enough, or not allowed."
    OUTPUT_BUSY = (
        "OutputBusy",
        True,
        "Wait for the other run that the message names, or pause other writers to the table.",
    )
    OUTPUT_FULL = "OutputFull", True, "Free space or raise the quota at `spec.output.uri`."
    SPARK_NOT_STARTED = "SparkNotStarted", True, "Read the driver's log; check `spec.execution.sparkConf`."
    STOPPED = "Stopped", True, "Nothing, unless it recurs: something in the driver pod asked the driver to stop."
    STORE_UNREACHABLE = (
        "StoreUnreachable",
        True,
        "Check the endpoint and the network; raise `spec.execution.storeTimeoutSeconds` for longer outages.",
    )

    # Reported by the operator.
    BACKOFF_LIMIT_EXCEEDED = (
        "BackoffLimitExceeded",
        False,
        "Correct the cause in `status.failure`, which holds the last attempt's class; this is the conditions' reason.",
    )
    CANCELLED = "Cancelled", False, "Nothing; set `spec.cancel` to false and raise `spec.retry` to continue the run."
    CLAIM_NOT_FOUND = "ClaimNotFound", False, "Create the PersistentVolumeClaim and raise `spec.retry`."
    CONTAINER_CONFIG_ERROR = "ContainerConfigError", True, "Correct what the kubelet reports in the message."
    DEADLINE_EXCEEDED = "DeadlineExceeded", False, "Raise `spec.activeDeadlineSeconds`, or add executors."
    DRIVER_EVICTED = (
        "DriverEvicted",
        True,
        "Nothing, unless it recurs: check the node's pressure and the namespace's priorities.",
    )
    DRIVER_EXITED = "DriverExited", True, "Read the driver's log: it exited without reporting a result."
    DRIVER_FAILED = (
        "DriverFailed",
        False,
        "Read the driver's log: its exit code rules out a retry, and it reported no result.",
    )
    DRIVER_LOST = "DriverLost", True, "Nothing, unless it recurs: the driver pod was deleted, or its node was lost."
    DRIVER_NOT_STARTED = "DriverNotStarted", True, "Check the driver pod's Events."
    DRIVER_OUT_OF_MEMORY = (
        "DriverOutOfMemory",
        True,
        "Raise `spec.execution.driverMemory`: half more was not enough, or not allowed.",
    )
    EXECUTORS_NOT_STARTED = (
        "ExecutorsNotStarted",
        True,
        "Check the executor pods' Events, quota and nodes; it does not count towards `spec.backoffLimit`.",
    )
    IMAGE_UNAVAILABLE = (
        "ImageUnavailable",
        False,
        "Correct `spec.execution.image`, or give the nodes access to it, and raise `spec.retry`.",
    )
    UNKNOWN_FAILURE = (
        "UnknownFailure",
        True,
        "Read the message, which quotes the driver; use a job image of the operator's version.",
    )
    UNKNOWN_PERMANENT_FAILURE = (
        "UnknownPermanentFailure",
        False,
        "Read the message, which quotes the driver; use a job image of the operator's version.",
    )
    UNSCHEDULABLE = (
        "Unschedulable",
        False,
        "Add nodes, or lower what the driver pod requests, and raise `spec.retry`.",
    )


class QuarantineReason(StrEnum):
    """Why an image is in quarantine.

    Attributes:
        meaning: What was found, in one sentence.
        advice: What to do, in one sentence.
    """

    meaning: str
    advice: str

    def __new__(cls, label: str, meaning: str, advice: str) -> QuarantineReason:
        """Create a member whose value is its label."""
        member = str.__new__(cls, label)
        member._value_ = label
        member.meaning, member.advice = meaning, advice
        return member

    DAMAGED = (
        "Damaged",
        "The header is intact, but the pixels cannot be decoded. Of an archive: what follows cannot be read.",
        "Upload the image again, or convert it to 8-bit JPEG or PNG.",
    )
    EMPTY = "Empty", "The object has no bytes.", "Upload the image again."
    MISSING = (
        "Missing",
        "The object was listed, but was gone when it was read. Of a URL: its host does not have it.",
        "Upload the image again.",
    )
    NO_DETECTION = (
        "NoDetection",
        "The detector found no subject.",
        "Lower `spec.detector.scoreThreshold`, or set `spec.detector.crop.fallback` to wholeImage.",
    )
    NOT_AN_IMAGE = (
        "NotAnImage",
        f"The bytes are not {listed()}.",
        "Remove the object from the source, or convert it.",
    )
    OUTSIDE_CLAIM = (
        "OutsideClaim",
        "A link on the file's path is absolute or leads out of the claim.",
        "Replace the link by the file.",
    )
    REFUSED = (
        "Refused",
        "The store refuses to return the object, but returns others. Of a URL: its host refuses, or is not allowed.",
        "Grant access to the object and its key, or restore it from its archive; the message has the store's code. For "
        "hosts, ask the platform team about `allowed.urlHosts`.",
    )
    TOO_LARGE = "TooLarge", "The object has more bytes than allowed.", "Raise `spec.limits.mebibytes`."
    TOO_MANY_PIXELS = "TooManyPixels", "The image has more pixels than allowed.", "Raise `spec.limits.megapixels`."
    TRUNCATED = (
        "Truncated",
        "The file ends before its image does, or an archive before its last member.",
        "Upload the file again.",
    )
    UNREADABLE = (
        "Unreadable",
        "The store fails to read the object, or an object of this name, but reads others. Of a URL: its host does not "
        "respond as it should.",
        "Upload the object again, or rename it.",
    )
    UNSUPPORTED = (
        "Unsupported",
        "The image is of a rare kind that executors do not decode, or the file is not what `spec.source.packed` says.",
        "Do as the message says, convert the image to 8-bit JPEG or PNG, or remove the file from the source.",
    )
