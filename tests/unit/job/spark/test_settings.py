"""Spark's settings: Featx's own can't be overridden, memory is split, and none contains a secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from featx_api.contract import AUTHENTICATION_FILE, CLAIMS_FOLDER, JobSpec
from featx_api.resource import FeatureExtraction
from featx_job.environment import Cluster, Environment
from featx_job.failures import RunFailure
from featx_job.spark import settings
from featx_job.spark.memory import Sizes

from tests.support.bad_resources import changed

SIZES = Sizes(batch=8, streams=1, heap=1000, pod=3072)
CLUSTER = Cluster("good-1-driver", "team", "10.0.0.7", "featx/job:1", "/etc/featx/job/executor-pod.yaml")


def job(path: str = "spec.suspend", value: Any = False) -> JobSpec:
    spec = FeatureExtraction.model_validate(changed(path, value)).spec
    return JobSpec(name="good", namespace="team", uid="u-1", attempt=2, spec=spec)


def environment(tmp_path: Path, cluster: Cluster | None = CLUSTER) -> Environment:
    secrets = tmp_path / "secrets"
    (secrets / "store").mkdir(parents=True)
    (secrets / "store" / "AWS_SECRET_ACCESS_KEY").write_text("hunter2")
    return Environment(jars=Path("/jars"), work=tmp_path, secrets=secrets, cluster=cluster, cores=6)


def test_executors_reach_the_driver_and_are_owned_by_it(tmp_path: Path) -> None:
    conf = settings.conf(job(), environment(tmp_path), SIZES)
    assert conf["spark.driver.host"] == "10.0.0.7"
    assert conf["spark.kubernetes.driver.pod.name"] == "good-1-driver"
    assert conf["spark.kubernetes.executor.podNamePrefix"] == "good-u-1-2"


def test_a_pods_memory_is_exactly_heap_plus_overhead(tmp_path: Path) -> None:
    conf = settings.conf(job(), environment(tmp_path), SIZES)
    heap = int(conf["spark.executor.memory"].removesuffix("m"))
    assert heap + int(conf["spark.executor.memoryOverhead"].removesuffix("m")) == 3072
    assert heap < 3072


def test_an_executor_reads_more_shards_than_it_has_streams_but_requests_its_real_cores(tmp_path: Path) -> None:
    conf = settings.conf(job("spec.execution.cores", 4), environment(tmp_path), SIZES)
    assert (conf["spark.task.cpus"], conf["spark.executor.cores"]) == ("1", "3")
    assert conf["spark.kubernetes.executor.request.cores"] == "4"
    assert settings.shards_at_once(SIZES._replace(streams=4)) == 5


def test_cpu_limits_are_the_requests_unless_the_user_sets_others(tmp_path: Path) -> None:
    request, limit = settings.CPU_REQUEST, settings.CPU_LIMIT
    assert limit not in settings.conf(job(), environment(tmp_path), SIZES)
    for conf, limited in ({}, "2"), ({request: "500m"}, "500m"), ({limit: "3"}, "3"):
        run = job("spec.execution", {"cores": 2, "cpuLimits": True, "sparkConf": conf})
        assert settings.conf(run, environment(tmp_path / limited), SIZES)[limit] == limited


def test_a_local_jvm_puts_temporary_files_where_the_next_run_finds_them(tmp_path: Path) -> None:
    local = environment(tmp_path, None)
    assert "java.io.tmpdir" not in settings.conf(job(), local, SIZES)["spark.driver.extraJavaOptions"]
    conf = settings.conf(job(), replace(local, temporary=Path("/a b")), SIZES)
    assert '"-Djava.io.tmpdir=/a b"' in conf["spark.driver.extraJavaOptions"]


def test_no_setting_contains_a_secret(tmp_path: Path) -> None:
    conf = settings.conf(job(), environment(tmp_path), SIZES)
    assert not [key for key, value in conf.items() if "hunter2" in value]
    assert conf["spark.hadoop.fs.s3a.bucket.images.featx.credentials.dir"].endswith("/secrets/store")


def test_minimum_and_maximum_executors_configure_dynamic_allocation(tmp_path: Path) -> None:
    conf = settings.conf(job("spec.execution", {"minExecutors": 2, "maxExecutors": 9}), environment(tmp_path), SIZES)
    assert (conf["spark.dynamicAllocation.minExecutors"], conf["spark.dynamicAllocation.maxExecutors"]) == ("2", "9")
    assert "spark.executor.instances" not in conf


def test_a_local_run_listens_only_on_loopback_and_uses_this_machines_cores(tmp_path: Path) -> None:
    conf = settings.conf(job(), environment(tmp_path, cluster=None), SIZES)
    assert conf["spark.driver.bindAddress"] == "127.0.0.1"
    assert settings.threads(job(), environment(tmp_path / "again", cluster=None)) == 6


def test_one_bucket_with_two_different_connections_is_refused(tmp_path: Path) -> None:
    output = {"uri": "s3://images/table", "s3": {"endpoint": "http://other:8333"}}
    with pytest.raises(RunFailure, match=r"spec\.output\.s3.*images") as refusal:
        settings.conf(job("spec.output", output), environment(tmp_path), SIZES)
    assert refusal.value.class_ == "StoreConflict"


def test_the_users_settings_never_replace_featxs(tmp_path: Path) -> None:
    ours = settings.conf(job(), environment(tmp_path), SIZES)
    theirs = dict.fromkeys(ours, "theirs")
    free = {"spark.task.maxFailures", "spark.executor.failuresValidityInterval"}
    free |= {"spark.kubernetes.executor.request.cores", "spark.hadoop.dfs.client.retry.window.base"}
    free |= {settings.IDLE_TIMEOUT}
    run = job()
    execution = run.spec.execution.model_copy(update={"spark_conf": theirs})
    run = run.model_copy(update={"spec": run.spec.model_copy(update={"execution": execution})})
    conf = settings.conf(run, environment(tmp_path / "again"), SIZES)
    assert {key for key, value in conf.items() if value == "theirs"} == free


def test_driver_and_executors_authenticate_by_a_file_and_encrypt_what_they_send(tmp_path: Path) -> None:
    conf = settings.conf(job(), environment(tmp_path), SIZES)
    assert conf["spark.authenticate"] == "true"
    assert conf["spark.authenticate.secret.file"] == AUTHENTICATION_FILE
    assert "spark.authenticate.secret" not in conf
    assert conf["spark.network.crypto.enabled"] == "true"
    assert conf["spark.network.crypto.cipher"] == "AES/GCM/NoPadding"
    assert conf["spark.network.crypto.saslFallback"] == "false"
    assert conf["spark.ui.killEnabled"] == "false"


def test_in_a_cluster_spark_touches_pods_only_and_java_reads_claims_only(tmp_path: Path) -> None:
    conf = settings.conf(job(), environment(tmp_path), SIZES)
    assert conf["spark.kubernetes.executor.disableConfigMap"] == "true"
    assert conf["spark.kubernetes.driver.ownPersistentVolumeClaim"] == "false"
    assert conf["spark.kubernetes.driver.reusePersistentVolumeClaim"] == "false"
    assert conf["spark.kubernetes.driver.service.deleteOnTermination"] == "false"
    assert conf["spark.hadoop.featx.claims"] == CLAIMS_FOLDER
    assert conf["spark.hadoop.featx.claims.only"] == "true"
    local = settings.conf(job(), environment(tmp_path / "again", cluster=None), SIZES)
    assert local["spark.hadoop.featx.claims.only"] == "false"


def test_without_executors_spark_takes_no_key_file_which_it_would_refuse(tmp_path: Path) -> None:
    conf = settings.without_executors(settings.conf(job(), environment(tmp_path), SIZES))
    assert conf["spark.master"] == "local[1]"
    assert "spark.authenticate.secret.file" not in conf
    assert conf["spark.authenticate"] == "true"
