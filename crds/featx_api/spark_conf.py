"""The settings that `spec.execution.sparkConf` may contain, each with its purpose and the form of its value.

A run acts in the namespace of a tenant, with the driver's account. Most of Spark's and Hadoop's settings can load code,
mount volumes, read files, choose images, accounts and namespaces, or open ports. New versions add more, so only what is
listed here is allowed. Settings that Featx sets itself are not listed: they would have no effect.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from featx_api.model import Rule, cel_string

FIELD: Final = "spec.execution.sparkConf"
#: The longest are lists of names.
SparkValue = Annotated[str, Field(max_length=256)]


class Form(NamedTuple):
    """The form of a value.

    Attributes:
        name: What the value must be, in words, for messages.
        pattern: Regular expression for all of the value. It must never match `=`, `$`, or a line break.
    """

    name: str
    pattern: str


def _one_of(*words: str) -> Form:
    return Form(f"one of {', '.join(words)}", "|".join(words))


_PROVIDERS = ("ConfiguredFailoverProxyProvider", "RequestHedgingProxyProvider", "ObserverReadProxyProvider")
_NAMES = r"[A-Za-z0-9_-]{1,63}"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,199}[A-Za-z0-9])?"

BOOLEAN = Form("true or false", "true|false")
NUMBER = Form("a whole number", "[0-9]{1,9}")
COUNT = Form("a whole number above 0", "[1-9][0-9]{0,8}")
FACTOR = Form("a number such as 1.5", "[1-9][0-9]{0,3}([.][0-9]{1,6})?")
FRACTION = Form("a fraction above 0 and up to 1, such as 0.75", "0[.]0{0,3}[1-9][0-9]{0,3}|1([.]0)?")
DURATION = Form("a duration such as 30s", "[1-9][0-9]{0,8}(us|ms|s|m|min|h|d)?")
MILLISECONDS = Form("a number of milliseconds", "[0-9]{1,9}")
SIZE = Form("a size such as 64m", "[1-9][0-9]{0,8}[kKmMgG]?")
CPU = Form(
    "a number of CPUs such as 2 or 500m", "[1-9][0-9]{0,2}([.][0-9]{1,3})?|0[.]0{0,2}[1-9][0-9]{0,2}|[1-9][0-9]{0,5}m"
)
PRINCIPAL = Form("a principal such as nn/_HOST@EXAMPLE.COM", f"{_NAMES}(/{_HOST}|/_HOST)?@{_HOST}")
PROTECTION = Form(
    "authentication, integrity or privacy, or several of them with commas",
    "(authentication|integrity|privacy)(,(authentication|integrity|privacy)){0,2}",
)
NAMES = Form("names with commas between them", f"{_NAMES}(,{_NAMES}){{0,9}}")
ADDRESS = Form("an address as host:port", f"{_HOST}:[1-9][0-9]{{0,4}}")
PROVIDER = Form(
    f"one of Hadoop's own classes: org.apache.hadoop.hdfs.server.namenode.ha. with {', '.join(_PROVIDERS)}",
    f"org[.]apache[.]hadoop[.]hdfs[.]server[.]namenode[.]ha[.]({'|'.join(_PROVIDERS)})",
)
REPLACEMENT = _one_of("NEVER", "DEFAULT", "ALWAYS")
ACCESS_PATTERN = _one_of("sequential", "random", "normal")


class Setting(NamedTuple):
    """One allowed setting.

    Attributes:
        key: Its name; `<name>` stands for a name that the user chooses, such as that of a name service.
        form: The form of its value.
        purpose: What it sets, in a phrase.
    """

    key: str
    form: Form
    purpose: str

    @property
    def pattern(self) -> str:
        """Regular expression for all of the key."""
        return self.key.replace(".", "[.]").replace("<name>", _NAMES)


#: Allowed settings by topic. Of Hadoop's, the prefix `spark.hadoop.` is left out.
_SPARK: Final[dict[str, list[tuple[str, Form, str]]]] = {
    "Failed and slow tasks": [
        ("spark.task.maxFailures", COUNT, "Failures of a task before the attempt fails. Defaults to 4."),
        ("spark.stage.maxConsecutiveAttempts", COUNT, "Attempts of a stage in a row before the attempt fails."),
        ("spark.executor.maxNumFailures", COUNT, "Lost executors before the attempt fails."),
        ("spark.executor.failuresValidityInterval", DURATION, "How long a lost executor counts. Defaults to 10m."),
        ("spark.speculation", BOOLEAN, "Starts a slow task a second time on another executor."),
        ("spark.speculation.interval", DURATION, "How often Spark looks for slow tasks."),
        ("spark.speculation.multiplier", FACTOR, "How many times slower than the median a slow task is."),
        ("spark.speculation.quantile", FRACTION, "Fraction of tasks that must be done before any counts as slow."),
        ("spark.speculation.minTaskRuntime", DURATION, "Shortest run time of a slow task."),
        ("spark.speculation.task.duration.threshold", DURATION, "Run time after which any task counts as slow."),
        ("spark.task.reaper.enabled", BOOLEAN, "Watches killed tasks until they have ended."),
        ("spark.task.reaper.pollingInterval", DURATION, "How often killed tasks are checked."),
        ("spark.task.reaper.killTimeout", DURATION, "How long a killed task may run before its JVM is killed."),
        ("spark.excludeOnFailure.enabled", BOOLEAN, "Stops using executors on which tasks fail."),
        ("spark.excludeOnFailure.timeout", DURATION, "How long an executor stays excluded."),
        ("spark.excludeOnFailure.task.maxTaskAttemptsPerExecutor", COUNT, "Attempts of a task on one executor."),
        ("spark.excludeOnFailure.task.maxTaskAttemptsPerNode", COUNT, "Attempts of a task on one node."),
        ("spark.excludeOnFailure.stage.maxFailedTasksPerExecutor", COUNT, "Failed tasks that exclude an executor."),
        ("spark.excludeOnFailure.stage.maxFailedExecutorsPerNode", COUNT, "Excluded executors that exclude a node."),
    ],
    "Executors": [
        ("spark.kubernetes.executor.request.cores", CPU, "CPU request of an executor. Defaults to `execution.cores`."),
        ("spark.kubernetes.executor.limit.cores", CPU, "CPU limit of an executor. Defaults to none."),
        ("spark.kubernetes.allocation.executor.timeout", DURATION, "How long a requested executor may take to appear."),
        (
            "spark.kubernetes.executor.missingPodDetectDelta",
            DURATION,
            "How long an executor may have no pod before it counts as lost.",
        ),
        ("spark.dynamicAllocation.executorIdleTimeout", DURATION, "How long an idle executor stays."),
        ("spark.dynamicAllocation.cachedExecutorIdleTimeout", DURATION, "The same for one that holds cached data."),
        ("spark.dynamicAllocation.shuffleTracking.timeout", DURATION, "The same for one that holds shuffle data."),
        ("spark.dynamicAllocation.schedulerBacklogTimeout", DURATION, "How long tasks wait before one more starts."),
        ("spark.dynamicAllocation.sustainedSchedulerBacklogTimeout", DURATION, "The same for each further one."),
        ("spark.dynamicAllocation.executorAllocationRatio", FRACTION, "Fraction of the executors that tasks call for."),
    ],
    "Connections between driver and executors": [
        ("spark.network.timeout", DURATION, "Time-out of all connections that have no other."),
        ("spark.rpc.askTimeout", DURATION, "Time-out of a request between driver and executors."),
        ("spark.rpc.lookupTimeout", DURATION, "Time-out of a look-up of an endpoint."),
        ("spark.rpc.io.connectionTimeout", DURATION, "Time-out of connections for requests."),
        ("spark.shuffle.io.connectionTimeout", DURATION, "Time-out of connections for blocks, such as broadcast nets."),
        ("spark.shuffle.io.maxRetries", NUMBER, "Retries of a transfer of blocks."),
        ("spark.shuffle.io.retryWait", DURATION, "Pause between these retries."),
        ("spark.storage.blockManagerHeartbeatTimeoutMs", MILLISECONDS, "How long an executor may send no heartbeat."),
        ("spark.executor.heartbeat.maxFailures", COUNT, "Failed heartbeats before an executor exits."),
        ("spark.scheduler.listenerbus.eventqueue.capacity", COUNT, "Events that the driver queues."),
    ],
}
_HADOOP: Final[dict[str, list[tuple[str, Form, str]]]] = {
    "Kerberos, and protection of connections": [
        ("dfs.namenode.kerberos.principal", PRINCIPAL, "Principal of the name nodes."),
        ("dfs.datanode.kerberos.principal", PRINCIPAL, "Principal of the data nodes."),
        ("hbase.master.kerberos.principal", PRINCIPAL, "Principal of HBase's masters."),
        ("hbase.regionserver.kerberos.principal", PRINCIPAL, "Principal of HBase's region servers."),
        ("hadoop.rpc.protection", PROTECTION, "Protection of requests to HDFS."),
        ("dfs.data.transfer.protection", PROTECTION, "Protection of data to and from data nodes."),
        ("dfs.encrypt.data.transfer", BOOLEAN, "Encrypts data to and from data nodes."),
        ("hbase.rpc.protection", PROTECTION, "Protection of requests to HBase."),
    ],
    "HDFS with several name nodes": [
        ("dfs.nameservices", NAMES, "Name services."),
        ("dfs.ha.namenodes.<name>", NAMES, "Name nodes of a name service."),
        ("dfs.namenode.rpc-address.<name>", ADDRESS, "Address of a name service with one name node."),
        ("dfs.namenode.rpc-address.<name>.<name>", ADDRESS, "Address of a name node: name service, then name node."),
        ("dfs.client.failover.proxy.provider.<name>", PROVIDER, "How the active name node is found."),
        ("dfs.client.failover.random.order", BOOLEAN, "Tries name nodes in random order."),
        ("dfs.client.failover.max.attempts", NUMBER, "Failovers before a request fails."),
        ("dfs.client.failover.sleep.base.millis", MILLISECONDS, "Pause before the second failover; it doubles."),
        ("dfs.client.failover.sleep.max.millis", MILLISECONDS, "Longest of these pauses."),
        ("dfs.client.failover.connection.retries", NUMBER, "Retries of a connection before a failover."),
        ("dfs.client.failover.connection.retries.on.timeouts", NUMBER, "The same after time-outs."),
    ],
    "HDFS": [
        ("dfs.replication", COUNT, "Copies of each block of a written file."),
        ("dfs.blocksize", SIZE, "Block size of written files."),
        ("dfs.client.use.datanode.hostname", BOOLEAN, "Reaches data nodes by name instead of address."),
        ("dfs.client.socket-timeout", MILLISECONDS, "Time-out of reads from data nodes."),
        ("dfs.datanode.socket.write.timeout", MILLISECONDS, "Time-out of writes to data nodes."),
        ("dfs.client.max.block.acquire.failures", NUMBER, "Failed look-ups of a block before a read fails."),
        ("dfs.client.retry.window.base", MILLISECONDS, "Pause before a block is looked up again."),
        ("dfs.client.block.write.retries", NUMBER, "Retries of a write to data nodes."),
        ("dfs.client.block.write.replace-datanode-on-failure.enable", BOOLEAN, "Replaces a failed data node."),
        ("dfs.client.block.write.replace-datanode-on-failure.policy", REPLACEMENT, "When it is replaced."),
        ("dfs.client.block.write.replace-datanode-on-failure.best-effort", BOOLEAN, "Continues if none is left."),
        ("dfs.client.hedged.read.threadpool.size", NUMBER, "Threads that read a slow block from a second node."),
        ("dfs.client.hedged.read.threshold.millis", MILLISECONDS, "When a block counts as slow."),
        ("dfs.client-write-packet-size", COUNT, "Bytes per packet of a write."),
        ("io.file.buffer.size", COUNT, "Bytes of a file buffer."),
        ("ipc.client.rpc-timeout.ms", MILLISECONDS, "Time-out of a request; 0 for none."),
        ("ipc.client.connect.retry.interval", MILLISECONDS, "Pause between connection attempts."),
        ("ipc.client.connection.maxidletime", MILLISECONDS, "How long an idle connection stays open."),
        ("ipc.ping.interval", MILLISECONDS, "How often a slow server is pinged."),
    ],
    "HBase": [
        ("hbase.client.pause", MILLISECONDS, "Pause before a retry; it grows."),
        ("hbase.client.pause.server.overloaded", MILLISECONDS, "The same if the server is overloaded."),
        ("hbase.client.meta.operation.timeout", MILLISECONDS, "Time-out of a look-up of regions."),
        ("hbase.client.scanner.max.result.size", COUNT, "Bytes per response of a scan."),
        ("hbase.client.keyvalue.maxsize", NUMBER, "Largest cell in bytes; 0 for any."),
        ("hbase.client.ipc.pool.size", COUNT, "Connections per region server."),
        ("hbase.rpc.read.timeout", MILLISECONDS, "Time-out of a read request."),
        ("hbase.ipc.client.socket.timeout.connect", MILLISECONDS, "Time-out of connecting."),
        ("hbase.ipc.client.failed.servers.expiry", MILLISECONDS, "How long a failed server is avoided."),
        ("zookeeper.session.timeout", MILLISECONDS, "Time-out of the ZooKeeper session."),
        ("zookeeper.recovery.retry", NUMBER, "Retries of a ZooKeeper request."),
        ("zookeeper.recovery.retry.intervalmill", MILLISECONDS, "Pause between these retries."),
    ],
    "S3": [
        ("fs.s3a.connection.request.timeout", MILLISECONDS, "Time-out of a whole request; 0 for none."),
        ("fs.s3a.retry.interval", DURATION, "Pause before a retry; it grows."),
        ("fs.s3a.retry.throttle.limit", NUMBER, "Retries of a throttled request."),
        ("fs.s3a.retry.throttle.interval", DURATION, "Pause before a throttled request is retried; it grows."),
        ("fs.s3a.threads.max", COUNT, "Threads for uploads."),
        ("fs.s3a.max.total.tasks", COUNT, "Uploads that wait for a thread."),
        ("fs.s3a.fast.upload.active.blocks", COUNT, "Parts of one file that are uploaded at a time."),
        ("fs.s3a.multipart.size", SIZE, "Size of a part of an upload."),
        ("fs.s3a.multipart.threshold", SIZE, "File size from which uploads have parts."),
        ("fs.s3a.block.size", SIZE, "Block size that S3A reports."),
        ("fs.s3a.readahead.range", SIZE, "Bytes that are read ahead."),
        ("fs.s3a.experimental.input.fadvise", ACCESS_PATTERN, "How files are read."),
        ("fs.s3a.socket.send.buffer", COUNT, "Bytes of a socket's send buffer."),
        ("fs.s3a.socket.recv.buffer", COUNT, "Bytes of a socket's receive buffer."),
        ("fs.s3a.paging.maximum", COUNT, "Keys per page of a listing."),
    ],
}

#: All allowed settings by topic.
ALLOWED: Final[dict[str, tuple[Setting, ...]]] = {
    topic: tuple(Setting(prefix + key, form, purpose) for key, form, purpose in settings)
    for prefix, topics in (("", _SPARK), ("spark.hadoop.", _HADOOP))
    for topic, settings in topics.items()
}
SETTINGS: Final = tuple(setting for settings in ALLOWED.values() for setting in settings)
_FORMS: Final = tuple(dict.fromkeys(setting.form for setting in SETTINGS))

_HINT = "remove it, or use one that docs/reference/spark-conf.md lists"
NOT_ALLOWED: Final = f"is not allowed: {_HINT}"


def _keys(form: Form | None = None) -> str:
    """Regular expression for the keys whose value has this form, or for all of them."""
    keys = [setting for setting in SETTINGS if form in (None, setting.form)]
    spark = [setting.pattern.removeprefix("spark[.]") for setting in keys]
    hadoop = [key.removeprefix("hadoop[.]") for key in spark if key.startswith("hadoop[.]")]
    plain = [key for key in spark if not key.startswith("hadoop[.]")]
    return "spark[.](" + "|".join([*plain, *([f"hadoop[.]({'|'.join(hadoop)})"] if hadoop else [])]) + ")"


def _in_cel(pattern: str) -> str:
    return cel_string(f"^({pattern})$")


def spark_conf_rules() -> list[Rule]:
    """The rules for the API server; `spark_conf_problem` is their counterpart. They name the keys that break them."""
    known = f"key.matches({_in_cel(_keys())})"
    result = [
        Rule(
            f"self.all(key, {known})",
            f"{FIELD} contains a setting that {NOT_ALLOWED}",
            message_cel=f"'{FIELD}.' + self.filter(key, !{known})[0] + {cel_string(f' {NOT_ALLOWED}')}",
        )
    ]
    for form in _FORMS:
        broken = f"key.matches({_in_cel(_keys(form))}) && !self[key].matches({_in_cel(form.pattern)})"
        result.append(
            Rule(
                f"self.all(key, !({broken}))",
                f"{FIELD}: a value must be {form.name}",
                message_cel=f"'{FIELD}.' + self.filter(key, {broken})[0] + {cel_string(f': must be {form.name}')}",
            )
        )
    return result


def spark_conf_problem(key: str, value: str) -> str | None:
    """Why a setting is refused, or None if it is allowed.

    Args:
        key: Name of the setting.
        value: Its value.
    """
    setting = next((setting for setting in SETTINGS if re.fullmatch(setting.pattern, key)), None)
    if setting is None:
        return f"{FIELD}.{key if key.isprintable() else ascii(key)} {NOT_ALLOWED}"
    if not re.fullmatch(setting.form.pattern, value):
        return f"{FIELD}.{key}: must be {setting.form.name}"
    return None
