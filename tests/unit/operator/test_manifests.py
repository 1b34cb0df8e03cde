"""The manifests of an attempt: Pod Security `restricted`, Secrets as files only, labels."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from featx_api.contract import APPLIED_ANNOTATION, JOB_KEY, JobSpec
from featx_api.resource import FeatureExtraction
from featx_api.status import FeatureExtractionStatus, RaisedMemory
from featx_operator import manifests
from featx_operator.applied import changed_fields, digests_from

from tests.support.bad_resources import good


def resource(**spec: Any) -> FeatureExtraction:
    body = copy.deepcopy(good())
    body["metadata"] |= {"name": "catalog", "uid": "u-1"}
    body["spec"] |= spec
    return FeatureExtraction.model_validate(body)


def driver_and_executor(**spec: Any) -> list[dict[str, Any]]:
    run = resource(**spec)
    return [manifests.driver_pod(run, 2, "job:1"), manifests.executor_template(run, 2)]


@pytest.mark.parametrize("pod", driver_and_executor(), ids=["driver", "executor"])
def test_pods_satisfy_pod_security_restricted(pod: dict[str, Any]) -> None:
    security = pod["spec"]["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == 10001
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["spec"]["containers"]:
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    kinds = {key for volume in pod["spec"]["volumes"] for key in volume} - {"name"}
    assert kinds <= {"emptyDir", "secret", "configMap", "persistentVolumeClaim", "projected"}
    assert pod["spec"]["enableServiceLinks"] is False


def test_the_driver_pod_gives_the_job_its_environment() -> None:
    pod = manifests.driver_pod(resource(), 2, "job:1")
    assert pod["metadata"]["name"] == "catalog-2-driver"
    assert pod["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    (container,) = pod["spec"]["containers"]
    assert container["command"] == ["python3", "-m", "featx_job"]
    plain = {item["name"]: item.get("value") for item in container["env"]}
    assert plain["FEATX_JOB"] == "/etc/featx/job/job.json"
    assert plain["FEATX_JOB_IMAGE"] == container["image"] == "job:1"
    assert {"POD_NAME", "POD_NAMESPACE", "POD_IP"} <= plain.keys()
    assert pod["spec"]["restartPolicy"] == "Never"
    assert container["resources"] == {
        "requests": {"cpu": "250m", "memory": "1536Mi"},
        "limits": {"memory": "1536Mi"},
    }


@pytest.mark.parametrize(("requested", "limit"), [("250m", "1"), ("1", "1"), ("1500m", "1500m"), ("2.5", "2.5")])
def test_a_drivers_cpu_limit_is_one_cpu_or_what_it_requests(requested: str, limit: str) -> None:
    pod = manifests.driver_pod(resource(execution={"driverCpu": requested, "cpuLimits": True}), 2, "job:1")
    (container,) = pod["spec"]["containers"]
    assert container["resources"] == {
        "requests": {"cpu": requested, "memory": "1536Mi"},
        "limits": {"cpu": limit, "memory": "1536Mi"},
    }


def test_labels_carry_name_uid_attempt_and_role() -> None:
    driver, executor = driver_and_executor()
    expected = {"featx.dev/name": "catalog", "featx.dev/uid": "u-1", "featx.dev/attempt": "2"}
    assert expected.items() <= driver["metadata"]["labels"].items()
    assert expected.items() <= executor["metadata"]["labels"].items()
    assert driver["metadata"]["labels"]["featx.dev/role"] == "driver"
    assert executor["metadata"]["labels"]["featx.dev/role"] == "executor"


def test_executors_get_no_token_and_the_container_name_that_spark_expects() -> None:
    template = manifests.executor_template(resource(), 1)
    assert template["spec"]["automountServiceAccountToken"] is False
    assert template["spec"]["containers"][0]["name"] == "executor"


@pytest.mark.parametrize("pod", driver_and_executor(), ids=["driver", "executor"])
def test_secrets_are_mounted_as_read_only_files(pod: dict[str, Any]) -> None:
    mounts = {mount["mountPath"]: mount for mount in pod["spec"]["containers"][0]["volumeMounts"]}
    assert mounts["/etc/featx/secrets/store"]["readOnly"] is True
    assert "secretKeyRef" not in json.dumps(pod)
    assert "envFrom" not in json.dumps(pod)


def test_only_the_driver_has_a_token_which_is_its_own_and_short_lived() -> None:
    driver, executor = driver_and_executor()
    assert driver["spec"]["automountServiceAccountToken"] is executor["spec"]["automountServiceAccountToken"] is False
    (token,) = [volume["projected"] for volume in driver["spec"]["volumes"] if "projected" in volume]
    sources = {kind: source for item in token["sources"] for kind, source in item.items()}
    assert sources["serviceAccountToken"] == {"expirationSeconds": 3600, "path": "token"}
    assert sources["configMap"]["name"] == "kube-root-ca.crt"
    assert token["defaultMode"] == 0o440
    mounts = {mount["name"]: mount for mount in driver["spec"]["containers"][0]["volumeMounts"]}
    assert mounts["token"]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert mounts["token"]["readOnly"] is True
    assert "projected" not in json.dumps(executor)


@pytest.mark.parametrize("pod", driver_and_executor(), ids=["driver", "executor"])
def test_driver_and_executors_share_the_key_of_their_attempt(pod: dict[str, Any]) -> None:
    (secret,) = [volume["secret"] for volume in pod["spec"]["volumes"] if volume["name"] == "authentication"]
    assert secret == {"secretName": "catalog-u-1-2-authentication", "defaultMode": 0o440}
    mounts = {mount["name"]: mount for mount in pod["spec"]["containers"][0]["volumeMounts"]}
    assert (mounts["authentication"]["mountPath"], mounts["authentication"]["readOnly"]) == (
        "/etc/featx/authentication",
        True,
    )


def test_no_port_of_a_driver_is_advertised() -> None:
    assert "ports" not in driver_and_executor()[0]["spec"]["containers"][0]


def test_claims_are_mounted_and_only_the_output_is_writable() -> None:
    pod = driver_and_executor(source={"claim": {"name": "images"}}, output={"uri": "claim://features/table"})[0]
    mounts = {
        mount["mountPath"]: mount["readOnly"]
        for mount in pod["spec"]["containers"][0]["volumeMounts"][1:]
        if "readOnly" in mount
    }
    assert mounts["/mnt/featx/claims/images"] is True
    assert mounts["/mnt/featx/claims/features"] is False


def test_node_pool_and_priority_apply_to_driver_and_executors() -> None:
    execution = {"nodePool": "xeon"}
    for pod in driver_and_executor(execution=execution, priorityClassName="night"):
        assert pod["spec"]["nodeSelector"] == {"featx.dev/node-pool": "xeon"}
        assert pod["spec"]["priorityClassName"] == "night"


def test_the_config_map_contains_the_job_and_the_executor_template() -> None:
    config_map = manifests.config_map(resource(), 2)
    job = JobSpec.model_validate_json(config_map["data"]["job.json"])
    assert (job.name, job.uid, job.attempt) == ("catalog", "u-1", 2)
    assert job.spec == resource().spec
    assert yaml.safe_load(config_map["data"]["executor-pod.yaml"]) == manifests.executor_template(resource(), 2)
    assert config_map["metadata"]["name"] == "catalog-u-1-2-job"


def test_the_longest_name_still_fits_into_a_label() -> None:
    body = copy.deepcopy(good())
    body["metadata"] |= {"name": "n" * 48, "uid": "u-1"}
    pod = manifests.driver_pod(FeatureExtraction.model_validate(body), 100_000, "job:1")
    assert len(pod["metadata"]["name"]) <= 63


def out_of_memory(**percents: int) -> FeatureExtraction:
    status = FeatureExtractionStatus(memory=RaisedMemory(**percents))
    return resource(execution={"driverMemory": "1536Mi"}).model_copy(update={"status": status})


def test_memory_that_was_raised_goes_to_the_driver_pod_and_its_jvm() -> None:
    run = out_of_memory(driver_percent=150)
    (container,) = manifests.driver_pod(run, 2, "job:1")["spec"]["containers"]
    assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"] == "2304Mi"
    job = JobSpec.from_json(manifests.config_map(run, 2)["data"][JOB_KEY])
    assert (job.spec.execution.driver_memory, job.executor_memory_percent) == ("2304Mi", None)


def test_memory_that_was_raised_for_executors_is_a_percentage_since_it_may_be_an_estimate() -> None:
    job = JobSpec.from_json(manifests.config_map(out_of_memory(executor_percent=150), 2)["data"][JOB_KEY])
    assert (job.spec.execution.driver_memory, job.executor_memory_percent) == ("1536Mi", 150)


@pytest.mark.parametrize(("size", "raised"), [("64Mi", "96Mi"), ("999Gi", "999Gi"), ("900000Mi", "999Gi")])
def test_raised_memory_has_the_form_of_the_spec(size: str, raised: str) -> None:
    run = resource(execution={"driverMemory": size}).model_copy(
        update={"status": FeatureExtractionStatus(memory=RaisedMemory(driver_percent=150))}
    )
    job = JobSpec.from_json(manifests.config_map(run, 1)["data"][JOB_KEY])
    assert job.spec.execution.driver_memory == raised


def test_the_driver_pod_records_the_fields_that_it_was_created_with() -> None:
    annotations = manifests.driver_pod(resource(limits={"megapixels": 3}), 1, "job:1")["metadata"]["annotations"]
    applied = digests_from(annotations[APPLIED_ANNOTATION])
    assert applied is not None
    assert changed_fields(resource(limits={"megapixels": 3}).spec, applied) == []
    assert changed_fields(resource(limits={"megapixels": 4}).spec, applied) == ["spec.limits.megapixels"]
    assert changed_fields(resource().spec, applied) == ["spec.limits.megapixels"]
