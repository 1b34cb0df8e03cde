"""Invalid resources, and the field that each error must name.

The same table is checked against the API server (tests/e2e) and the models used by `featx run` (tests/unit). If they
disagreed, a resource that runs locally would be refused in the cluster, or vice versa.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

SHA256 = "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d"
ABSENT = object()


class Bad(NamedTuple):
    """One change to a valid resource, and what the error must contain."""

    id: str
    path: str
    value: Any
    names: str


def good() -> dict[str, Any]:
    """A valid resource with every section present."""
    model = {"prototxt": "s3://models/net.prototxt", "weights": "s3://models/net.caffemodel", "sha256": SHA256}
    return {
        "apiVersion": "featx.dev/v1alpha1",
        "kind": "FeatureExtraction",
        "metadata": {"name": "good", "namespace": "default"},
        "spec": {
            "source": {
                "s3": {"endpoint": "http://s3.store.svc:8333", "bucket": "images", "secretRef": {"name": "store"}}
            },
            "detector": {
                "model": dict(model),
                "input": {"mean": [104, 177, 123]},
                "classes": [1],
                "crop": {"margin": 0.1},
            },
            "extractor": {"model": dict(model), "layer": "pool", "binarize": {"method": "fixed", "threshold": 0.5}},
            "output": {"uri": "s3://features/table"},
            "execution": {"executors": 2, "cores": 2, "memory": "3Gi", "sparkConf": {"spark.task.maxFailures": "4"}},
        },
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    """The valid resource with one field set, or removed if the value is ABSENT.

    Args:
        path: Names separated by dots; a name in backticks may contain dots.
        value: The field's new value.
    """
    resource = copy.deepcopy(good())
    *parents, last = _parts(path)
    node = resource
    for name in parents:
        node = node.setdefault(name, {})
    if value is ABSENT:
        del node[last]
    else:
        node[last] = value
    return resource


def _parts(path: str) -> list[str]:
    plain, _, quoted = path.partition(".`")
    return [*plain.split("."), *([quoted.rstrip("`")] if quoted else [])]


S3 = {"bucket": "images"}
HBASE = {"table": "photos", "column": "p:jpg"}
SNAPSHOT = {"name": "monday", "rootDir": "hdfs://name:8020/hbase"}
KERBEROS = {"principal": "features@EXAMPLE.COM", "secretRef": {"name": "features"}}
UPDATE = {"uri": "s3://features/table", "mode": "incremental"}
CHANGES = {"s3": S3, "changedSince": "s3://features/tables"}

LIST = "s3://lists/keys.parquet"
INVENTORY = "s3://lists/images/daily/"
CLAIM = {"claim": {"name": "images"}}
CPU = "spark.kubernetes.executor"
BESIDE_A_LIST: dict[str, dict[str, Any]] = {
    "keys": {"keys": ["a"]},
    "globs": {"include": ["*.jpg"]},
    "globs that leave out": {"exclude": ["a/"]},
    "packed files": {"packed": {}},
    "an inventory": {"s3": S3 | {"inventory": INVENTORY}},
}

BAD = [
    Bad("no source", "spec.source", ABSENT, "source"),
    Bad("empty source", "spec.source", {}, "exactly one of s3, hbase, files, claim"),
    Bad("two sources", "spec.source.files", {"uri": "file:///images"}, "exactly one of s3, hbase, files, claim"),
    Bad("changed since nowhere", "spec.source.changedSince", "yesterday", "changedSince"),
    Bad("neither quorum nor snapshot", "spec.source", {"hbase": HBASE}, "quorum"),
    Bad("quorum and snapshot", "spec.source", {"hbase": HBASE | {"quorum": "zk", "snapshot": SNAPSHOT}}, "quorum"),
    Bad("two identities", "spec.source.s3", S3 | {"secretRef": {"name": "a"}, "podIdentity": True}, "podIdentity"),
    Bad("two users", "spec.execution", {"hadoopUser": "a", "kerberos": KERBEROS}, "kerberos"),
    Bad("principal without realm", "spec.execution.kerberos", KERBEROS | {"principal": "a"}, "principal"),
    Bad("keys and changes", "spec.source", {"s3": S3, "keys": ["a"], "changedSince": "s3://tables/a"}, "changedSince"),
    *(
        Bad(f"list beside {name}", "spec.source", {"s3": S3, "list": LIST, **beside}, "spec.source.list excludes keys")
        for name, beside in BESIDE_A_LIST.items()
    ),
    Bad("list of rows", "spec.source", {"hbase": HBASE | {"quorum": "zk"}, "list": "hdfs://n/a.txt"}, "source.list"),
    Bad("list in no store", "spec.source", CLAIM | {"list": LIST}, "an s3:// address requires spec.source.s3"),
    Bad("list of an unknown format", "spec.source.list", "s3://lists/keys.xml", "list"),
    Bad("list in a parent folder", "spec.source", CLAIM | {"list": "claim://a/../b.txt"}, "list"),
    Bad("list by http", "spec.source.list", "https://example.test/keys.csv", "list"),
    Bad("inventory by http", "spec.source.s3.inventory", "https://example.test/manifest.json", "inventory"),
    Bad("inventory at a bucket's root", "spec.source.s3.inventory", "s3://lists", "inventory"),
    Bad("inventory in a parent folder", "spec.source.s3.inventory", "s3://lists/../manifest.json", "inventory"),
    Bad(
        "inventory of a Delta table",
        "spec.source",
        {"s3": S3 | {"inventory": INVENTORY}, "packed": {"format": "delta"}},
        "spec.source.s3.inventory excludes packed.format delta",
    ),
    Bad("two choices in a glob", "spec.source.include", ["{a,b}/*.{jpg,png}"], "include"),
    *(
        Bad(f"broken glob {glob}", "spec.source.include", [glob], "include")
        for glob in ("[x", "*.[jp", "a[b/c]", "[]", "[!]", "{[a,b],c}", "{a", "b}")
    ),
    Bad("broken glob of members", "spec.source", {"s3": S3, "packed": {"members": "[x"}}, "members"),
    Bad("glob of members that hides its end", "spec.source", {"s3": S3, "packed": {"members": "a\\"}}, "members"),
    Bad("colour by name", "spec.decoding", {"background": "green"}, "background"),
    Bad("column with a blank", "spec.source", {"s3": S3, "packed": {"carry": ["x y"]}}, "carry"),
    Bad("glob with a line break", "spec.source.exclude", ["a\nb"], "exclude"),
    Bad("glob of nothing", "spec.source.include", [""], "include"),
    Bad("too many globs", "spec.source.exclude", ["*.jpg"] * 65, "exclude"),
    Bad("key with a line break", "spec.source.keys", ["a\nb.jpg"], "keys"),
    Bad("folder with a blank that nobody sees", "spec.source", {"files": {"uri": "file:///photos "}}, "uri"),
    Bad("no bucket", "spec.source.s3.bucket", ABSENT, "bucket"),
    Bad("bucket in capitals", "spec.source.s3.bucket", "Images", "bucket"),
    Bad("bucket too short", "spec.source.s3.bucket", "ab", "bucket"),
    Bad("endpoint without scheme", "spec.source.s3.endpoint", "s3.store.svc:8333", "endpoint"),
    Bad("secret name in capitals", "spec.source.s3.secretRef.name", "Store", "name"),
    Bad("files by http", "spec.source", {"files": {"uri": "http://example.test/images"}}, "uri"),
    Bad("claim without name", "spec.source", {"claim": {"path": "a"}}, "name"),
    Bad("no extractor", "spec.extractor", ABSENT, "extractor"),
    Bad("no layer", "spec.extractor.layer", ABSENT, "layer"),
    Bad("empty layer", "spec.extractor.layer", "", "layer"),
    Bad("neither model nor reference", "spec.extractor.model", ABSENT, "modelRef"),
    Bad("model and reference", "spec.detector.modelRef", {"name": "faces"}, "modelRef"),
    Bad("reference with pixels", "spec.detector", {"modelRef": {"name": "faces"}, "input": {"scale": 2}}, "input"),
    Bad("reference to another kind", "spec.detector", {"modelRef": {"kind": "Pod", "name": "faces"}}, "kind"),
    Bad("reference without a name", "spec.extractor", {"modelRef": {"kind": "VisionModel"}}, "name"),
    Bad("no sha256", "spec.extractor.model.sha256", ABSENT, "sha256"),
    Bad("sha256 of wrong length", "spec.detector.model.sha256", "abc", "sha256"),
    Bad("sha256 in capitals", "spec.detector.model.sha256", SHA256.upper(), "sha256"),
    Bad("weights by http", "spec.detector.model.weights", "http://example.test/a", "weights"),
    Bad("mean of two channels", "spec.detector.input.mean", [1, 2], "mean"),
    Bad("mean above 255", "spec.detector.input.mean", [1, 2, 256], "mean"),
    Bad("scale of zero", "spec.extractor.input", {"scale": 0}, "scale"),
    Bad("unknown channel order", "spec.extractor.input", {"channels": "GBR"}, "channels"),
    Bad("score above one", "spec.detector.scoreThreshold", 1.5, "scoreThreshold"),
    Bad("negative class", "spec.detector.classes", [-1], "classes"),
    Bad("margin above one", "spec.detector.crop.margin", 2, "margin"),
    Bad("unknown fallback", "spec.detector.crop.fallback", "ignore", "fallback"),
    Bad("fixed bits without threshold", "spec.extractor.binarize", {"method": "fixed"}, "threshold"),
    Bad("threshold without fixed", "spec.extractor.binarize", {"threshold": 1}, "threshold"),
    Bad("unknown engine", "spec.engine", "tensorflow", "engine"),
    Bad("unknown precision", "spec.precision", "f16", "precision"),
    Bad(
        "a tolerance without int8",
        "spec.quantization",
        {"minCosine": 0.9},
        "spec.quantization requires spec.precision: int8",
    ),
    Bad("no image to calibrate on", "spec.quantization", {"images": 0}, "images"),
    Bad("bf16 on bigdl", "spec.precision", "bf16", "spec.precision: bf16 requires spec.engine: openvino"),
    Bad("no output", "spec.output", ABSENT, "output"),
    Bad("output at a bucket's root", "spec.output.uri", "s3://features", "uri"),
    Bad("output by ftp", "spec.output.uri", "ftp://features/a", "uri"),
    Bad("unknown format", "spec.output.format", "csv", "format"),
    Bad("update of a plain folder", "spec.output", UPDATE | {"format": "parquet"}, "spec.output.mode"),
    Bad("changes in two ways", "spec", good()["spec"] | {"source": CHANGES, "output": UPDATE}, "changedSince"),
    Bad("failed fraction above one", "spec.errors", {"maxFailedFraction": 1.1}, "maxFailedFraction"),
    Bad("no megapixels", "spec.limits", {"megapixels": 0}, "megapixels"),
    Bad("no executors", "spec.execution.executors", 0, "executors"),
    Bad("executors in words", "spec.execution.executors", "two", "executors"),
    Bad("fixed and dynamic", "spec.execution", {"executors": 1, "minExecutors": 1, "maxExecutors": 2}, "executors"),
    Bad("fewest without most", "spec.execution", {"minExecutors": 1}, "maxExecutors"),
    Bad("fewest above most", "spec.execution", {"minExecutors": 3, "maxExecutors": 2}, "minExecutors"),
    Bad("memory without unit", "spec.execution.memory", "3000", "memory"),
    Bad("no CPU for the driver", "spec.execution.driverCpu", "0", "driverCpu"),
    Bad("CPU with another unit", "spec.execution.driverCpu", "1Gi", "driverCpu"),
    Bad("CPU limits in words", "spec.execution.cpuLimits", "yes", "cpuLimits"),
    Bad("a core too many", "spec.execution.cores", 129, "cores"),
    Bad("memory of a tebibyte", "spec.execution.memory", "1024Gi", "memory"),
    Bad("memory that no node has", "spec.execution.driverMemory", "9999999Gi", "driverMemory"),
    Bad("memory for no driver", "spec.execution.driverMemory", "63Mi", "driverMemory"),
    Bad("memory of nothing", "spec.execution.driverMemory", "0Mi", "driverMemory"),
    Bad("too many cores", "spec.execution", {"executors": 1000, "cores": 128}, "executors times cores"),
    Bad(
        "too many cores in the end",
        "spec.execution",
        {"minExecutors": 0, "maxExecutors": 1000, "cores": 11},
        "executors times cores",
    ),
    Bad("image with a space", "spec.execution.image", "featx/job: 1", "image"),
    Bad("image with a line break", "spec.execution.image", "featx/job:1\n", "image"),
    Bad("image of a parent folder", "spec.execution.image", "registry/featx/../evil:1", "image"),
    Bad("image in capitals", "spec.execution.image", "registry/Featx", "image"),
    Bad("image without a name", "spec.execution.image", "", "image"),
    Bad("image with a short digest", "spec.execution.image", "featx/job@sha256:abc", "image"),
    Bad("account in capitals", "spec.execution.serviceAccountName", "Admin", "serviceAccountName"),
    Bad("account with an underscore", "spec.execution.serviceAccountName", "featx_job", "serviceAccountName"),
    Bad("account of 300 letters", "spec.execution.serviceAccountName", "a" * 300, "serviceAccountName"),
    Bad("account that ends in a dash", "spec.execution.serviceAccountName", "featx-", "serviceAccountName"),
    Bad("priority in capitals", "spec.priorityClassName", "High", "priorityClassName"),
    Bad("priority of nothing", "spec.priorityClassName", "", "priorityClassName"),
    Bad("pool with a space", "spec.execution.nodePool", "a b", "nodePool"),
    Bad("pool of 64 letters", "spec.execution.nodePool", "a" * 64, "nodePool"),
    Bad("user with a space", "spec.execution.hadoopUser", "a -javaagent:b", "hadoopUser"),
    Bad(
        "principal with a substitution",
        "spec.execution.kerberos",
        KERBEROS | {"principal": "${env.HOME}@EXAMPLE.COM"},
        "principal",
    ),
    Bad("claim of two dots", "spec.source", {"claim": {"name": ".."}}, "name"),
    Bad("claim with two dots", "spec.source", {"claim": {"name": "a..b"}}, "name"),
    Bad("claim in capitals", "spec.source", {"claim": {"name": "Images"}}, "name"),
    Bad("claim of 300 letters", "spec.source", {"claim": {"name": "a" * 300}}, "name"),
    Bad("claim's parent folder", "spec.source", {"claim": {"name": "a", "path": "b/../../c"}}, "path"),
    Bad("claim's folder with a line break", "spec.source", {"claim": {"name": "a", "path": "b\nc"}}, "path"),
    Bad("output at a claim's root", "spec.output.uri", "claim://features", "uri"),
    Bad("output on a claim of two dots", "spec.output.uri", "claim://../table", "uri"),
    Bad("output on a claim with two dots", "spec.output.uri", "claim://a..b/table", "uri"),
    Bad("output on a claim of 300 letters", "spec.output.uri", f"claim://{'a' * 300}/table", "uri"),
    Bad("output beside a claim", "spec.output.uri", "claim://features/../../etc", "uri"),
    Bad("output in a parent folder", "spec.output.uri", "file:///mnt/featx/claims/features/..", "uri"),
    Bad("output in a parent folder of HDFS", "spec.output.uri", "hdfs://name:8020/a/../b", "uri"),
    Bad("output with a line break", "spec.output.uri", "s3://features/a\nb", "uri"),
    Bad("output with a terminal's escape", "spec.output.uri", "s3://features/\x1b[2J", "uri"),
    Bad("output with reversed text", "spec.output.uri", "s3://features/\u202eelbat", "uri"),
    Bad("changes since a parent folder", "spec.source", CLAIM | {"changedSince": "claim://a/../b"}, "changedSince"),
    Bad("files in a parent folder", "spec.source", {"files": {"uri": "claim://a/../b"}}, "uri"),
    Bad("files on no claim", "spec.source", {"files": {"uri": "claim:///b"}}, "uri"),
    Bad("files of a package's parent", "spec.source", {"files": {"uri": "package:a==1/../b"}}, "uri"),
    Bad("package with an option", "spec.source", {"files": {"uri": "package:a==1;b/c"}}, "uri"),
    Bad("package that is an option", "spec.source", {"files": {"uri": "package:-r==1/b"}}, "uri"),
    Bad("header with a substitution", "spec.source.s3.headers", {"x-amz-a": "${env.PATH}"}, "headers"),
    Bad(
        "snapshot of two dots",
        "spec.source",
        {"hbase": HBASE | {"snapshot": SNAPSHOT | {"name": ".."}}},
        "name",
    ),
    Bad("weights on a claim in capitals", "spec.detector.model.weights", "claim://Models/a", "weights"),
    Bad("weights in a parent folder", "spec.detector.model.weights", "claim://models/../a", "weights"),
    Bad("weights in a parent folder of a bucket", "spec.detector.model.weights", "s3://models/a/../b", "weights"),
    Bad("weights with a line break", "spec.detector.model.weights", "s3://models/a\nb", "weights"),
    Bad(
        "model in a parent folder",
        "spec.extractor.model",
        {"onnx": "file:///mnt/featx/claims/models/../../../etc/shadow", "sha256": SHA256},
        "onnx",
    ),
    Bad(
        "snapshot in a parent folder",
        "spec.source",
        {"hbase": HBASE | {"snapshot": SNAPSHOT | {"rootDir": "file:///hbase/../etc"}}},
        "rootDir",
    ),
    Bad("znode with a substitution", "spec.source", {"hbase": HBASE | {"quorum": "a", "znode": "/${env.A}"}}, "znode"),
    Bad("salt that is too long", "spec.source", {"hbase": HBASE | {"quorum": "a", "salts": ["a" * 33]}}, "salts"),
    Bad("prefix with a control character", "spec.source.s3.prefix", "a\x00b", "prefix"),
    Bad("key with a control character", "spec.source", {"s3": S3, "keys": ["a\x00b"]}, "keys"),
    Bad("more keys than fit", "spec.source", {"s3": S3, "keys": ["a" * 1024] * 385}, "384 KiB in all: split them"),
    Bad("more wide keys than fit", "spec.source", {"s3": S3, "keys": ["\U0001f600" * 1024] * 97}, "384 KiB in all"),
    Bad("spark setting that Featx owns", "spec.execution.sparkConf.`spark.master`", "local", "spark.master"),
    Bad("secret in a spark setting", "spec.execution.sparkConf.`spark.hadoop.fs.s3a.secret.key`", "x", "secret"),
    Bad("setting of something else", "spec.execution.sparkConf.`hadoop.tmp`", "x", "sparkConf"),
    Bad("spark setting of a wrong form", "spec.execution.sparkConf.`spark.network.timeout`", "soon", "30s"),
    Bad(
        "a CPU limit below the request",
        "spec.execution.sparkConf",
        {f"{CPU}.limit.cores": "1500m", f"{CPU}.request.cores": "2"},
        "must not be lower than the CPU request",
    ),
    Bad("a CPU limit below the cores", "spec.execution.sparkConf", {f"{CPU}.limit.cores": "1"}, "CPU request"),
    Bad("negative backoff", "spec.backoffLimit", -1, "backoffLimit"),
    Bad("deadline in words", "spec.activeDeadlineSeconds", "1h", "activeDeadlineSeconds"),
    Bad("name too long", "metadata.name", "a" * 49, "metadata.name"),
    Bad("old name of shardImages", "spec.execution.shardPictures", 32, "use spec.execution.shardImages"),
    Bad("old name of imageMean", "spec.extractor.binarize", {"method": "pictureMean"}, "use imageMean"),
    Bad(
        "old name of quantization.images",
        "spec",
        good()["spec"] | {"precision": "int8", "quantization": {"pictures": 64}},
        "use spec.quantization.images",
    ),
    Bad("Python's name of a field", "spec.execution.shard_images", 32, "shard_images"),
    Bad("misspelt field", "spec.extractor.layr", "pool", "layr"),
]
