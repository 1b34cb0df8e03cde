"""Spark's settings for a run, in a cluster or on this machine. Pure, except that jars are listed.

Executors have no Python: they need the jars and BigDL's JVM options only.
"""

from __future__ import annotations

from pathlib import Path

from featx_api.contract import (
    AUTHENTICATION_FILE,
    BLOCK_PORT,
    DRIVER_PORT,
    EXECUTOR,
    SPARK_UI_PORT,
    JobSpec,
    executor_prefix,
)
from featx_api.execution import Kerberos
from featx_api.executor_contract import (
    AUTHORITIES_SETTING,
    CLAIMS_ONLY_SETTING,
    CLAIMS_SETTING,
    KEYTAB_SETTING,
    LOCAL_FILES_CLASS,
    OPENVINO_PROPERTY,
    PREPARE_PROPERTY,
    PRINCIPAL_SETTING,
)
from featx_api.failures import FailureClass
from featx_api.s3 import StoreAccess
from featx_api.spec import FeatureExtractionSpec

from featx_job.clients.s3_settings import authority, for_s3a
from featx_job.environment import Cluster, Environment
from featx_job.failures import RunFailure
from featx_job.spark import class_path
from featx_job.spark.memory import Sizes, mebibytes

Conf = dict[str, str]

# Of JVMs that run nets. G1 fails to place VGG16's largest layer in a heap with half as much room again
# (docs/architecture.md, "Memory"), and collects after every few HBase results, which are larger than half a region.
COLLECTOR = "-XX:+UseShenandoahGC"
# Share of the driver pod's memory; the rest is Python's.
DRIVER_HEAP_SHARE = 0.5
LOCAL_HEAP = 2  # times an executor's, if one JVM is driver and executor
OPENED = (
    *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util"),
    *("java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action"),
    "sun.util.calendar",
)

INSTANCES = "spark.executor.instances"
IDLE_TIMEOUT = "spark.dynamicAllocation.executorIdleTimeout"
CPU_REQUEST, CPU_LIMIT = (f"spark.kubernetes.executor.{name}.cores" for name in ("request", "limit"))
HADOOP = "spark.hadoop."
BLOCK_PAUSE = f"{HADOOP}dfs.client.retry.window.base"  # ms, before another search for a block that no DataNode has
FILES = {"fs.file.impl": LOCAL_FILES_CLASS}
S3A = {
    "fs.s3a.path.style.access": "true",
    "fs.s3a.attempts.maximum": "3",  # Featx itself retries, and reports it; see HDFS
    "fs.s3a.retry.limit": "3",
    "fs.s3a.connection.maximum": "64",
    "fs.s3a.connection.establish.timeout": "5000",
    "fs.s3a.connection.timeout": "60000",
    "fs.s3a.directory.marker.retention": "keep",  # no DELETE per folder above a new object
    "fs.s3a.fast.upload.buffer": "array",  # disks may be read-only, and bytebuffer cannot resend
    "fs.s3a.bucket.probe": "0",  # one request less per executor
    "fs.s3a.audit.enabled": "false",  # a twentieth of a small object's time, for headers nobody reads
}
HDFS = {
    # Featx itself retries when a server does not respond, and reports it; the libraries' own retries take minutes.
    "ipc.client.connect.max.retries": "3",
    "ipc.client.connect.max.retries.on.timeouts": "3",
    "ipc.client.connect.timeout": "5000",
    # A writer asks whether its file's last block has arrived; by default it first asks after 0.4 s.
    "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": "20",
    "dfs.client.block.write.locateFollowingBlock.retries": "10",
}
HBASE = {
    "hbase.client.retries.number": "2",  # Featx itself retries; see HDFS
    "hbase.client.operation.timeout": "60000",
    "hbase.client.scanner.timeout.period": "60000",
    "hbase.rpc.timeout": "30000",
}

KEY_FILE = "spark.authenticate.secret.file"
# Who has not read the attempt's Secret can neither send anything to driver and executors nor understand their traffic.
CLOSED = {
    "spark.ui.killEnabled": "false",
    "spark.authenticate": "true",
    KEY_FILE: AUTHENTICATION_FILE,  # of driver and executors, never a value
    "spark.network.crypto.enabled": "true",
    "spark.network.crypto.saslFallback": "false",
    "spark.network.crypto.authEngineVersion": "2",
    "spark.network.crypto.cipher": "AES/GCM/NoPadding",  # by default altered bytes would go unnoticed
    "spark.io.encryption.enabled": "true",  # parts of nets may wait on the node's disk
}
# Pods are all that Spark may touch: the rest is the operator's, and goes with the resource.
PODS_ONLY = {
    "spark.kubernetes.executor.disableConfigMap": "true",
    "spark.kubernetes.driver.ownPersistentVolumeClaim": "false",
    "spark.kubernetes.driver.reusePersistentVolumeClaim": "false",
    "spark.kubernetes.driver.service.deleteOnTermination": "false",
}


def conf(job: JobSpec, environment: Environment, sizes: Sizes) -> Conf:
    """Return all settings of a run's Spark context.

    The user's come first and can't override what Featx owns; the API refuses most of these anyway.

    Args:
        job: The run.
        environment: Where it runs.
        sizes: Memory and streams of an executor.
    """
    settings = dict(job.spec.execution.spark_conf) | {
        "spark.app.name": f"featx {job.namespace}/{job.name}",
        "spark.ui.showConsoleProgress": "false",
        "spark.scheduler.mode": "FAIR",  # between the pools of fairscheduler.xml; shards go in order
        "spark.locality.wait": "0s",
        "spark.executor.heartbeatInterval": "5s",  # which reports that an executor waits for a store
        # Nothing is cached or shuffled, and parts of nets may wait on disk: the heap is for building nets.
        "spark.memory.fraction": "0.2",
        # Weights are broadcast. They are as good as random: compressing them takes seconds and saves nothing.
        "spark.broadcast.compress": "false",
        "spark.broadcast.checksum": "false",  # TCP has one
        "spark.broadcast.blockSize": "16m",  # a part of a net (dev.featx.spark.BroadcastNets) is fetched whole
        "spark.task.maxFailures": settings_of(job.spec, "spark.task.maxFailures", "4"),
        # Spark gives up after three lost executors, or twice their number; over days, nodes come and go.
        "spark.executor.failuresValidityInterval": settings_of(
            job.spec, "spark.executor.failuresValidityInterval", "10m"
        ),
    }
    settings |= stores(job.spec, environment) | kerberos(job.spec, environment) | _claims(environment)
    if environment.cluster:
        return settings | _in_cluster(job, environment, environment.cluster, sizes)
    return settings | _on_this_machine(job, environment, sizes)


def settings_of(spec: FeatureExtractionSpec, key: str, default: str) -> str:
    """Return a Spark setting that the user may change, or its default."""
    return spec.execution.spark_conf.get(key, default)


def threads(job: JobSpec, environment: Environment) -> int:
    """Return the threads of a forward: the executor's cores, or this machine's."""
    return job.spec.execution.cores if environment.cluster else environment.cores


def without_executors(settings: Conf) -> Conf:
    """Return settings with which Spark runs in the driver's JVM alone: it creates a key, and would refuse a file."""
    alone = settings | {"spark.master": "local[1]", "spark.task.cpus": "1"}
    alone.pop(KEY_FILE, None)
    return alone


def tasks_at_once(job: JobSpec, environment: Environment, sizes: Sizes) -> int:
    """Return how many shards the whole run works on at once, with as many executors as it may have."""
    execution = job.spec.execution
    executors = (execution.max_executors or execution.wanted) if environment.cluster else 1
    return shards_at_once(sizes) * executors


def shards_at_once(sizes: Sizes) -> int:
    """Return how many shards an executor works on at once.

    One more than its nets run side by side: while a shard reads, crops or writes, the nets have work. A shard has two
    nets, so two shards keep one stream of each busy.
    """
    return max(2, sizes.streams) + 1


def java_options(spec: FeatureExtractionSpec, environment: Environment) -> str:
    """Return JVM options: BigDL's for Java 17, the folder of OpenVINO's libraries, and the user for HDFS."""
    site = environment.site
    opens = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
    engine = [
        "-Dbigdl.engineType=mkldnn",
        "-Dbigdl.disableOmpAffinity=true",
        f"-D{OPENVINO_PROPERTY}={site}/openvino/libs",
    ]
    user = [f"-DHADOOP_USER_NAME={spec.execution.hadoop_user}"] if spec.execution.hadoop_user else []
    if spec.execution.kerberos:
        user = [f"-Djava.security.krb5.conf={_keytab(spec.execution.kerberos, environment).with_name('krb5.conf')}"]
    return " ".join(
        [
            *opens,
            *engine,
            *user,
            *class_path.options(environment),
            "-Djava.net.preferIPv4Stack=true",
            "-Dhttp.maxConnections=64",  # as many as S3A; Java's default is five
            "-Dlog4j2.configurationFile=featx-log4j2.xml",
        ]
    )


def _in_cluster(job: JobSpec, environment: Environment, cluster: Cluster, sizes: Sizes) -> Conf:
    execution = job.spec.execution
    options = java_options(job.spec, environment)
    settings = {
        "spark.master": "k8s://https://kubernetes.default.svc:443",
        "spark.submit.deployMode": "client",
        "spark.driver.host": cluster.pod_ip,
        "spark.driver.bindAddress": cluster.pod_ip,
        "spark.driver.port": str(DRIVER_PORT),
        "spark.driver.blockManager.port": str(BLOCK_PORT),
        # Bound to SPARK_LOCAL_IP, which `featx_job.clients.java` sets: `kubectl port-forward` reaches it, others don't.
        "spark.ui.port": str(SPARK_UI_PORT),
        "spark.driver.memory": f"{int(mebibytes(execution.driver_memory) * DRIVER_HEAP_SHARE)}m",
        "spark.driver.extraClassPath": class_path.path(environment),
        "spark.driver.extraJavaOptions": options,
        "spark.executor.extraJavaOptions": " ".join([options, COLLECTOR, *_prepare(job, environment, sizes)]),
        # For Spark a core is a shard at a time; the pod requests the real cores.
        "spark.executor.cores": str(shards_at_once(sizes)),
        "spark.task.cpus": "1",
        CPU_REQUEST: settings_of(job.spec, CPU_REQUEST, str(execution.cores)),
        "spark.executor.memory": f"{sizes.heap}m",
        "spark.executor.memoryOverhead": f"{sizes.pod - sizes.heap}m",
        "spark.kubernetes.namespace": cluster.namespace,
        "spark.kubernetes.driver.pod.name": cluster.pod_name,
        "spark.kubernetes.container.image": cluster.image,
        "spark.kubernetes.container.image.pullPolicy": "IfNotPresent",
        "spark.kubernetes.executor.podTemplateFile": cluster.executor_template,
        "spark.kubernetes.executor.podTemplateContainerName": EXECUTOR,
        "spark.kubernetes.executor.podNamePrefix": executor_prefix(job.name, job.uid, job.attempt),
        # The first executor begins without waiting for others; nets are sent while it starts.
        "spark.scheduler.minRegisteredResourcesRatio": "0",
        "spark.kubernetes.allocation.batch.size": "20",
        "spark.kubernetes.allocation.batch.delay": "1s",
    }
    if execution.cpu_limits:
        settings[CPU_LIMIT] = settings_of(job.spec, CPU_LIMIT, settings[CPU_REQUEST])
    return settings | CLOSED | PODS_ONLY | _executors(job)


def preparation(job: JobSpec, environment: Environment, sizes: Sizes) -> str | None:
    """Return the argument with which a JVM prepares its engine while Spark starts, or None."""
    return class_path.preparation(environment, job.spec.engine, threads(job, environment), sizes.streams)


def _prepare(job: JobSpec, environment: Environment, sizes: Sizes) -> list[str]:
    prepared = preparation(job, environment, sizes)
    return [f"-D{PREPARE_PROPERTY}={prepared}"] if prepared else []


def _executors(job: JobSpec) -> Conf:
    execution = job.spec.execution
    if execution.max_executors is None:
        # Pods that do not run yet are withdrawn at once if fewer are wanted: they have no work to lose.
        return {INSTANCES: str(execution.wanted), IDLE_TIMEOUT: settings_of(job.spec, IDLE_TIMEOUT, "0s")}
    return {
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.shuffleTracking.enabled": "true",
        "spark.dynamicAllocation.minExecutors": str(execution.min_executors),
        "spark.dynamicAllocation.initialExecutors": str(execution.min_executors),
        "spark.dynamicAllocation.maxExecutors": str(execution.max_executors),
    }


def _on_this_machine(job: JobSpec, environment: Environment, sizes: Sizes) -> Conf:
    temporary = [f'"-Djava.io.tmpdir={environment.temporary}"'] if environment.temporary else []
    return {
        "spark.master": f"local[{shards_at_once(sizes)}]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": f"{LOCAL_HEAP * sizes.heap}m",
        "spark.ui.enabled": "false",
        "spark.driver.extraClassPath": class_path.path(environment),
        # The user's Java may lack this collector.
        "spark.driver.extraJavaOptions": " ".join(
            [java_options(job.spec, environment), "-XX:+IgnoreUnrecognizedVMOptions", COLLECTOR, *temporary]
        ),
        "spark.local.dir": str(environment.work),
    }


def stores(spec: FeatureExtractionSpec, environment: Environment) -> Conf:
    """Return how executors reach the stores of source and output: never a secret, only the folder that holds it.

    Raises:
        RunFailure: StoreConflict, if one bucket is reached in two ways.
    """
    reached: dict[str, StoreAccess] = {}
    source = spec.source.s3.resolved() if spec.source.s3 else None
    if source:
        reached[source.bucket] = _access(source)
    if spec.output.uri.startswith("s3://"):
        bucket = spec.output.uri.removeprefix("s3://").split("/", 1)[0]
        access = _access(spec.store_of(spec.output.s3))
        if reached.setdefault(bucket, access) != access:
            raise RunFailure(
                FailureClass.STORE_CONFLICT,
                f"spec.output.s3: bucket {bucket} is also the source, but with other settings; use the same for both",
            )
    settings = {f"{HADOOP}{key}": value for system in (FILES, S3A, HDFS, HBASE) for key, value in system.items()}
    settings[BLOCK_PAUSE] = settings_of(spec, BLOCK_PAUSE, "300")
    if source:
        reached[source.bucket] = source
    for bucket, access in reached.items():
        s3a = for_s3a(bucket, access, environment.secrets)
        settings |= {f"{HADOOP}{name}": value for name, value in s3a.items()}
    signed_by = {str(path) for access in reached.values() if (path := authority(access, environment.secrets))}
    return settings | {f"{HADOOP}{AUTHORITIES_SETTING}": ",".join(sorted(signed_by))}


def _claims(environment: Environment) -> Conf:
    """Return which local files Java may touch (dev.featx.source.ClaimFiles)."""
    return {
        f"{HADOOP}{CLAIMS_SETTING}": str(environment.claims),
        f"{HADOOP}{CLAIMS_ONLY_SETTING}": str(environment.cluster is not None).lower(),
    }


def kerberos(spec: FeatureExtractionSpec, environment: Environment) -> Conf:
    """Return how driver and executors log in to HDFS and HBase (dev.featx.security.KerberosLogin).

    Raises:
        RunFailure: SecretNotFound or SecretIncomplete.
    """
    if spec.execution.kerberos is None:
        return {}
    return {
        "spark.hadoop.hadoop.security.authentication": "kerberos",
        "spark.hadoop.hbase.security.authentication": "kerberos",
        f"{HADOOP}{PRINCIPAL_SETTING}": spec.execution.kerberos.principal,
        f"{HADOOP}{KEYTAB_SETTING}": str(_keytab(spec.execution.kerberos, environment)),
        # Each pod logs in by itself: Spark's delegation tokens expire before a long run ends.
        "spark.security.credentials.hadoopfs.enabled": "false",
        "spark.security.credentials.hbase.enabled": "false",
        "spark.security.credentials.hive.enabled": "false",
    }


def _keytab(login: Kerberos, environment: Environment) -> Path:
    field = "spec.execution.kerberos.secretRef.name"
    return environment.secret(login.secret_ref.name, field, ("keytab", "krb5.conf")) / "keytab"


def _access(store: StoreAccess) -> StoreAccess:
    """Return the access of a source without its other fields, to compare it with an output's."""
    return StoreAccess.model_validate(store.model_dump(include=set(StoreAccess.model_fields)))
